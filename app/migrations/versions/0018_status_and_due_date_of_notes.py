"""Status and due date of notes

Revision: 0018, after 0017. Notes that are there are open, and due on no day.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("notes", sa.Column("status", sa.String(20), server_default=sa.text("'open'"), nullable=False))
    op.add_column("notes", sa.Column("due_on", sa.Date(), nullable=True))


def downgrade() -> None:
    op.drop_column("notes", "due_on")
    op.drop_column("notes", "status")
