"""Recovery codes that are saved

Revision: 0014, after 0013. Those that are there are good; going back, those that nobody has saved yet are deleted.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("recovery_codes", sa.Column("saved_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE recovery_codes SET saved_at = created_at")


def downgrade() -> None:
    op.execute("DELETE FROM recovery_codes WHERE saved_at IS NULL")
    op.drop_column("recovery_codes", "saved_at")
