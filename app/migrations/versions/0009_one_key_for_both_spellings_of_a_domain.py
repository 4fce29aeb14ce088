"""One key for both spellings of an internationalised domain

Revision: 0009, after 0008. The keys of "bücher.example" become those of "xn--bcher-kva.example", which browsers send from
an e-mail field. Accounts that would be one then are for a person to decide about: nothing is changed, and they are named.
"""

import unicodedata
from collections import defaultdict

import idna
import sqlalchemy as sa
from alembic import op
from alembic.util import CommandError

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SHOWN = 10  # of what is in the way

TEXT = sa.String()
users = sa.table(
    "users", sa.column("id", sa.Uuid()), sa.column("email", TEXT), sa.column("email_key", TEXT), sa.column("name", TEXT),
    sa.column("search_text", TEXT),
)  # fmt: skip
words = sa.table("user_words", sa.column("word", TEXT), sa.column("user_id", sa.Uuid()))
links = sa.table("mail_links", sa.column("id", sa.Uuid()), sa.column("email_key", TEXT))


def upgrade() -> None:
    connection = op.get_bind()
    rows = rows_with_letters(connection, users)
    keys = {row.id: on_the_wire(row.email_key) for row in rows}
    refuse_what_is_no_address([row for row in rows if not keys[row.id]])
    refuse_what_becomes_one(connection, rows, keys)
    for row in rows:
        write(connection, row, keys[row.id], f"{row.name} {readable(keys[row.id])} {keys[row.id]}")
    for row in rows_with_letters(connection, links):
        if key := on_the_wire(row.email_key):
            connection.execute(sa.update(links).where(links.c.id == row.id).values(email_key=key))


def downgrade() -> None:
    connection = op.get_bind()
    for row in rows_with_letters(connection, users):
        key = readable(row.email_key)
        write(connection, row, key, f"{row.name} {key}")
    for row in rows_with_letters(connection, links):
        connection.execute(sa.update(links).where(links.c.id == row.id).values(email_key=readable(row.email_key)))


def rows_with_letters(connection, table):
    """Those whose key is not plain ASCII, or stands for something that is not."""
    key = table.c.email_key
    is_sqlite = connection.dialect.name == "sqlite"
    octets = sa.func.length(sa.cast(key, sa.LargeBinary)) if is_sqlite else sa.func.octet_length(key)
    chosen = sa.select(table).where(sa.or_(key.contains("xn--"), octets != sa.func.length(key)))
    return connection.execute(chosen.order_by(table.c.id)).all()


def refuse_what_is_no_address(rows):
    if rows:
        raise CommandError(
            f"nothing was changed: no mail can be sent to {named(rows)}. Give each of these accounts another address, "
            "or delete it, and migrate again"
        )


def refuse_what_becomes_one(connection, rows, keys):
    mine = defaultdict(list)
    for row in rows:
        mine[keys[row.id]].append(row)
    for key, those in mine.items():
        others = sa.select(users).where(users.c.email_key == key, users.c.id.not_in([row.id for row in those]))
        those += connection.execute(others).all()
    if same := [those for those in mine.values() if len(those) > 1]:
        raise CommandError(
            "nothing was changed: these accounts have one and the same address: "
            f"{'; '.join(named(those) for those in same[:SHOWN])}. Give all but one of them another address, or "
            "delete them, and migrate again"
        )


def named(rows):
    return ", ".join(f"{row.email} ({row.id})" for row in rows[:SHOWN])


def write(connection, row, key, found_by):
    values = {"email_key": key, "search_text": folded(f"{row.name} {readable(key)}")[:512]}
    connection.execute(sa.update(users).where(users.c.id == row.id).values(values))
    connection.execute(sa.delete(words).where(words.c.user_id == row.id))
    apart = "".join(each if unicodedata.category(each)[0] in "LMN" else " " for each in folded(found_by))
    if found := {word[:64] for word in apart.split()}:
        connection.execute(sa.insert(words), [{"word": word, "user_id": row.id} for word in found])


def folded(text):
    return unicodedata.normalize("NFKC", text).casefold()


def on_the_wire(key):
    """The key as `app.web.email_address` makes it from now on; "" for what is no address."""
    local, _, domain = key.rpartition("@")
    try:
        key = f"{local}@{idna.encode(domain, uts46=True).decode('ascii')}"
    except UnicodeError:
        return ""
    return key if local.isascii() and len(key) <= 254 else ""


def readable(key):
    local, _, domain = key.rpartition("@")
    try:
        return f"{local}@{idna.decode(domain)}"
    except UnicodeError:
        return key
