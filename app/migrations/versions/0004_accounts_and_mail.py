"""Accounts and mail

Revision: 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("users", sa.Column("delete_after", MOMENT, nullable=True))
    op.create_table(
        "mail_links",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("secret", sa.String(64), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("email", sa.String(254), server_default=sa.text("''"), nullable=False),
        sa.Column("email_key", sa.String(254), server_default=sa.text("''"), nullable=False),
        sa.Column("name", sa.String(80), server_default=sa.text("''"), nullable=False),
        sa.Column("password", sa.String(255), server_default=sa.text("''"), nullable=False),
        sa.Column("fingerprint", sa.String(64), server_default=sa.text("''"), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_mail_links_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_mail_links_user_id", "mail_links", ["user_id"])
    op.create_index("ix_mail_links_email_key", "mail_links", ["email_key"])
    op.create_index("ix_mail_links_ends_at", "mail_links", ["ends_at"])
    op.create_table(
        "letters",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("recipient", sa.String(254), server_default=sa.text("''"), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("facts", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("next_try_at", MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("sent_at", MOMENT, nullable=True),
        sa.Column("dropped_at", MOMENT, nullable=True),
        sa.Column("failed_at", MOMENT, nullable=True),
        sa.Column("error", sa.String(255), server_default=sa.text("''"), nullable=False),
        sa.Column("subject", sa.String(255), server_default=sa.text("''"), nullable=False),
        sa.Column("text", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("html", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_letters_next_try_at", "letters", ["next_try_at"])


def downgrade() -> None:
    op.drop_table("letters")
    op.drop_table("mail_links")
    op.drop_column("users", "delete_after")
