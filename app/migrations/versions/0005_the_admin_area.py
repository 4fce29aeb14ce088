"""The admin area: words that people are found by, an index for each list, passwords that must be changed

Revision: 0005, after 0004.
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
# Compared byte by byte on both databases, so that "begins with" is a range of the index.
WORD = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")

# Where deploy/roles.sql has run before: the site's role may add to the trail, and nothing else.
ONLY_ADD = """
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'lanyard_app') THEN
        REVOKE UPDATE, DELETE ON audit_events FROM lanyard_app;
        REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM lanyard_app;
    END IF;
END
$$
"""

INDEXES = {
    "ix_users_newest": ("users", ["role", "is_active", "id"]),
    "ix_users_search_text": ("users", ["role", "is_active", "search_text", "id"]),
    "ix_users_address": ("users", ["role", "is_active", "email_key", "id"]),
    "ix_users_last_login": ("users", ["role", "is_active", "last_login", "id"]),
    "ix_user_words_user_id": ("user_words", ["user_id"]),
    "ix_sessions_live": ("sessions", ["revoked_at", "ends_at"]),
    "ix_mail_links_open": ("mail_links", ["purpose", "used_at", "ends_at", "id"]),
    "ix_audit_events_actor_id": ("audit_events", ["actor_id", "id"]),
    "ix_audit_events_event": ("audit_events", ["event", "id"]),
    "ix_audit_events_ip": ("audit_events", ["ip", "id"]),
    "ix_letters_dead": ("letters", ["failed_at", "id"]),
    "ix_letters_owed": ("letters", ["sent_at", "dropped_at", "failed_at", "next_try_at"]),
}


def upgrade() -> None:
    op.add_column(
        "users", sa.Column("must_change_password", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("users", sa.Column("invited_at", MOMENT, nullable=True))
    op.create_table(
        "user_words",
        sa.Column("word", WORD, nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_user_words_user_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("word", "user_id"),
    )
    for name, (table, columns) in INDEXES.items():
        op.create_index(name, table, columns)
    find_everybody(op.get_bind())
    if op.get_bind().dialect.name == "postgresql":
        op.execute(ONLY_ADD)


def find_everybody(connection: sa.Connection) -> None:
    users = sa.table("users", sa.column("id", sa.Uuid()), sa.column("search_text", sa.String()))
    words = sa.table("user_words", sa.column("word", WORD), sa.column("user_id", sa.Uuid()))
    query, after = sa.select(users).order_by(users.c.id).limit(500), None
    while rows := connection.execute(query.where(users.c.id > after) if after else query).all():
        after = rows[-1].id
        if found := [{"word": word, "user_id": row.id} for row in rows for word in words_of(row.search_text)]:
            connection.execute(sa.insert(words), found)


def words_of(text: str) -> set[str]:
    apart = "".join(each if unicodedata.category(each)[0] in "LMN" else " " for each in text)
    return {word[:64] for word in apart.split()}


def downgrade() -> None:
    for name, (table, _) in reversed(INDEXES.items()):
        op.drop_index(name, table)
    op.drop_table("user_words")
    op.drop_column("users", "invited_at")
    op.drop_column("users", "must_change_password")
