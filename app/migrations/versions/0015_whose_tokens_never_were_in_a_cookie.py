"""Whose tokens never were in a cookie

Revision: 0015, after 0014. Of the sessions that are there nobody knows: they count as browsers', which have to prove more.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("program", sa.Boolean(), server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    op.drop_column("sessions", "program")
