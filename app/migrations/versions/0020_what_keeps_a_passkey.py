"""What keeps a passkey

Revision: 0020, after 0019. Passkeys that are there keep the name that their owner gave them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("passkeys", sa.Column("aaguid", sa.String(36), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("passkeys", "aaguid")
