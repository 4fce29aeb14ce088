"""Who was invited and has not come in yet is found along an index

Revision: 0006, after 0005.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_users_invited", "users", ["invited_at", "last_login"])


def downgrade() -> None:
    op.drop_index("ix_users_invited", "users")
