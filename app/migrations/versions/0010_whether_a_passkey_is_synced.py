"""Whether a passkey is synced

Revision: 0010, after 0009.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("passkeys", sa.Column("backup_eligible", sa.Boolean(), nullable=True))
    op.add_column("passkeys", sa.Column("backed_up", sa.Boolean(), nullable=True))


def downgrade() -> None:
    op.drop_column("passkeys", "backed_up")
    op.drop_column("passkeys", "backup_eligible")
