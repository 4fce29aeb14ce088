"""When a passkey is offered

Revision: 0021, after 0020. Accounts that have a passkey are not offered one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("users", sa.Column("passkey_offer_after", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE users SET passkey_offer_after = '9999-01-01 00:00:00+00:00' "
        "WHERE EXISTS (SELECT 1 FROM passkeys WHERE passkeys.user_id = users.id)"
    )


def downgrade() -> None:
    op.drop_column("users", "passkey_offer_after")
