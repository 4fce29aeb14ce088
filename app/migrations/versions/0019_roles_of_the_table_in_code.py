"""Roles of the table in code

Revision: 0019, after 0018. The table of roles in `app.auth.roles` says which there are. Back: whoever has another role
than the two of before becomes a user.
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.drop_constraint("ck_users_role", type_="check")


def downgrade() -> None:
    op.execute("UPDATE users SET role = 'user' WHERE role NOT IN ('user', 'admin')")
    with op.batch_alter_table("users") as users:
        users.create_check_constraint("ck_users_role", "role IN ('user', 'admin')")
