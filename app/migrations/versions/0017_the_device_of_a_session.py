"""The device of a session

Revision: 0017, after 0016. Sessions that are there stay unbound.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("device_key", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("sessions", "device_key")
