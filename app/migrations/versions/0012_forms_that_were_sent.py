"""Forms that were sent

Revision: 0012, after 0011.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "form_submissions",
        sa.Column("key", sa.String(43), nullable=False),
        sa.Column("fields", sa.String(43), nullable=False),
        sa.Column("holder", sa.String(43), nullable=False),
        sa.Column("holder_after", sa.String(43), server_default="", nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("answer", sa.Text(), server_default="", nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("ix_form_submissions_ends_at", "form_submissions", ["ends_at"])


def downgrade() -> None:
    op.drop_table("form_submissions")
