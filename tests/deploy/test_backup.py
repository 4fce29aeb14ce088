"""Backups are taken and restored for real, on both databases; what is over stays over."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import sqlalchemy as sa

from app import db
from app.auth.accounts import login_flow
from app.auth.models import link_rows, session_rows
from app.email import outbox
from app.email.models import email_rows
from app.notes import store
from tests.support import database as databases
from tests.support import postgres
from tests.support.environment import ROOT
from tests.support.people import Person, make_user, start_session
from tests.support.programs import pooling

pytestmark = [pytest.mark.long, pytest.mark.anyio]

SCRIPT = ROOT / "deploy" / "backup.py"
ROLES = (ROOT / "deploy" / "roles.sql").read_text()
# Who owns each table, and what the site may do with it, column by column where there is something of that kind.
RIGHTS = """
SELECT c.relname, pg_get_userbyid(c.relowner), c.relkind, right_,
       CASE c.relkind WHEN 'S' THEN has_sequence_privilege('lanyard_app', c.oid, 'USAGE')
       ELSE has_table_privilege('lanyard_app', c.oid, right_) END
FROM pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS right_
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v', 'S') ORDER BY 1, 4
"""
DYING = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA wal_autocheckpoint=0")
connection.execute("UPDATE sessions SET revoked_for = 'signed_out', revoked_at = CURRENT_TIMESTAMP")
connection.execute("UPDATE sessions SET revoked_for = NULL, revoked_at = NULL")
os.kill(os.getpid(), signal.SIGKILL)
"""


class Place:
    """One of the two databases: `old` has people in it, `new` nothing."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.old = postgres.fresh() if kind == "postgresql" else databases.copy_to(folder / "old.db")
        self.new = postgres.empty() if kind == "postgresql" else f"sqlite:///{folder / 'new.db'}"
        self.file = folder / "backup"

    def run(self, work: str, url: str) -> "subprocess.CompletedProcess[str]":
        environment = postgres.clients() | {"DATABASE_URL": url}
        return subprocess.run(
            [sys.executable, str(SCRIPT), work, str(self.file)], env=environment, capture_output=True, text=True
        )


@pytest.fixture(params=["sqlite", "postgresql"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    before, place = db.url(), Place(request.param, tmp_path)
    yield place
    await db.disconnect()
    db.point_at(before)


@pytest.fixture
async def person(place: Place) -> Person:
    """With a session, an e-mailed link and a queued e-mail."""
    db.point_at(place.old)
    await db.connect()
    person = await make_user(name="Ælfrīc 'Quoted' Example")
    await start_session(person)
    await store.create(person.id, "Kept", "since before the backup")  # notes
    async with db.transaction() as tx:
        await outbox.enqueue(tx, "nothing", recipient=person.email)
        link = {"id": db.uuid7(), "purpose": "reset_password", "secret": "0" * 64, "user_id": person.id}
        await tx.execute(sa.insert(link_rows).values(**link, created_at=db.now(), ends_at=db.now()))
    return person


async def test_what_was_saved_is_there_again_and_nobody_is_signed_in(place: Place, person: Person) -> None:
    saved = await asyncio.to_thread(place.run, "save", place.old)
    await store.create(person.id, "Lost", "written after the backup")  # notes
    await db.disconnect()

    restored = await asyncio.to_thread(place.run, "restore", place.new)

    assert (saved.returncode, restored.returncode) == (0, 0), saved.stderr + restored.stderr
    db.point_at(place.new)
    await db.connect()
    assert db.pending() == []
    assert [note.title for note in (await store.listing(person.id, store.NoteFilters())).items] == ["Kept"]  # notes
    assert await rows(session_rows, session_rows.c.revoked_at.is_(None)) == 0
    assert await rows(session_rows) == 1
    assert await rows(link_rows) == 0
    assert await rows(email_rows, email_rows.c.dropped_at.is_(None)) == 0
    assert await login_flow.login(person.email, person.password) is not None


async def test_nothing_that_is_there_is_overwritten(place: Place, person: Person) -> None:
    await asyncio.to_thread(place.run, "save", place.old)

    again = await asyncio.to_thread(place.run, "save", place.old)
    over = await asyncio.to_thread(place.run, "restore", place.old)

    assert (again.returncode, over.returncode) == (1, 1)
    assert "is there already" in again.stderr
    assert "is there already" in over.stderr or "is not empty" in over.stderr
    assert await rows(session_rows, session_rows.c.revoked_at.is_(None)) == 1


async def test_broken_backup_restores_nothing(place: Place, person: Person) -> None:
    await asyncio.to_thread(place.run, "save", place.old)
    whole = place.file.read_bytes()
    place.file.write_bytes(whole[: len(whole) // 2])

    restored = await asyncio.to_thread(place.run, "restore", place.new)

    assert restored.returncode == 1
    assert "Traceback" not in restored.stderr
    assert (await asyncio.to_thread(place.run, "restore", place.new)).returncode == 1  # as empty as before, as broken


@pytest.mark.parametrize(("arguments", "url"), [([], "sqlite:///x"), (["save"], "sqlite:///x"), (["save", "f"], "")])
def test_wrong_usage_explains_itself(arguments: list[str], url: str) -> None:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], env={"DATABASE_URL": url}, capture_output=True, text=True
    )

    assert done.returncode == 2
    assert "restore FILE" in done.stderr


@pytest.mark.parametrize("work", ["save", "restore"])
def test_address_that_cannot_be_meant_is_refused_in_one_line(work: str) -> None:
    url = "postgres://ann:hunter2@db/lanyard?ssl=true"

    done = subprocess.run(
        [sys.executable, str(SCRIPT), work, "f"], env={"DATABASE_URL": url}, capture_output=True, text=True
    )

    assert done.returncode == 2
    assert done.stderr.startswith("backup: DATABASE_URL has an option that means nothing here, ssl: write sslmode=")
    assert (done.stderr.count("\n"), "hunter2" in done.stderr) == (1, False)


@pytest.mark.ops
@pytest.mark.parametrize("work", ["save", "restore"])
@pytest.mark.parametrize("more", ["", "ignore_startup_parameters = options"])
def test_pooler_is_no_way_for_a_backup(tmp_path: Path, work: str, more: str) -> None:
    """A dump leaves an empty search path behind, on the connection that somebody else gets next."""
    place = Place("postgresql", tmp_path)

    with pooling(place.old if work == "save" else place.new, "transaction", more) as url:
        done = place.run(work, url)

    assert done.returncode == 1
    assert done.stderr == "backup: a pooler stands before the database: give the address of the server itself\n"


@pytest.mark.parametrize("who", ["lanyard_owner", "postgres"])
@pytest.mark.parametrize("before", ["roles.sql was run", "roles.sql was not run"])
async def test_restored_database_has_the_privileges_that_the_old_one_had(tmp_path: Path, who: str, before: str) -> None:
    """What the roles get by default in a new database is more than a migration has left them in the old one."""
    if (who, before) == ("lanyard_owner", "roles.sql was not run"):
        pytest.skip("who owns no schema makes no tables: PostgreSQL says so")
    place = Place("postgresql", tmp_path)
    postgres.execute(ROLES, url=place.old)
    if before == "roles.sql was run":
        postgres.execute(ROLES, url=place.new)

    saved = await asyncio.to_thread(place.run, "save", place.old.replace("postgres@", f"{who}@"))
    restored = await asyncio.to_thread(place.run, "restore", place.new.replace("postgres@", f"{who}@"))

    assert (saved.returncode, restored.returncode) == (0, 0), saved.stderr + restored.stderr
    old, new = await asked(place.old, RIGHTS), await asked(place.new, RIGHTS)
    assert old == new
    site = place.new.replace("postgres@", "lanyard_app@")
    await asked(site, "INSERT INTO audit_events (id, at, event) VALUES (gen_random_uuid(), now(), 'x')")
    for change in ("UPDATE audit_events SET event = 'y'", "DELETE FROM audit_events", "TRUNCATE audit_events"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asked(site, change)


async def test_restore_without_the_roles_says_what_to_run(tmp_path: Path) -> None:
    """On a server of its own, which has never heard of them."""
    place, other = Place("postgresql", tmp_path), postgres.Postgres()
    other.start()
    await asyncio.to_thread(place.run, "save", place.old)

    restored = await asyncio.to_thread(place.run, "restore", other.url)

    other.stop()
    assert restored.returncode == 0, restored.stderr
    assert "deploy/roles.sql" in restored.stdout


async def test_restore_says_what_to_run_afterwards(place: Place, person: Person) -> None:
    await asyncio.to_thread(place.run, "save", place.old)

    restored = await asyncio.to_thread(place.run, "restore", place.new)

    assert restored.stdout.index("python -m app migrate") < restored.stdout.index("python -m app doctor")


@pytest.mark.parametrize("left", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("work", ["save", "restore"])
async def test_what_a_dead_database_left_behind_is_in_the_way(tmp_path: Path, work: str, left: str) -> None:
    """SQLite would read it into the new file: ended sessions came back that way."""
    place = Place("sqlite", tmp_path)
    if work == "restore":
        await asyncio.to_thread(place.run, "save", place.old)
    target = tmp_path / ("backup" if work == "save" else "new.db")
    beside = target.with_name(target.name + left)
    beside.touch()

    done = await asyncio.to_thread(place.run, work, place.old if work == "save" else place.new)

    assert done.returncode == 1
    assert done.stderr == (
        f"backup: {beside} is there, of a database that died: with all servers stopped, move it away as well\n"
    )
    assert not target.exists()


async def test_no_session_lives_however_the_old_database_died(tmp_path: Path) -> None:
    """Killed while it was written to: its newest rows stand in the -wal alone, which the backup has as well."""
    place = Place("sqlite", tmp_path)
    db.point_at(place.old)
    await db.connect()
    await start_session(await make_user())
    await db.disconnect()
    died = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", DYING, str(tmp_path / "old.db")])
    wal = tmp_path / "old.db-wal"
    assert (died.returncode, wal.stat().st_size > 0) == (-signal.SIGKILL, True)
    await asyncio.to_thread(place.run, "save", place.old)

    (tmp_path / "old.db").unlink()
    beside_it = await asyncio.to_thread(place.run, "restore", place.old)
    for end in ("-wal", "-shm"):
        (tmp_path / f"old.db{end}").unlink(missing_ok=True)
    alone = await asyncio.to_thread(place.run, "restore", place.old)

    assert (beside_it.returncode, alone.returncode) == (1, 0), alone.stderr
    await db.connect()
    assert await rows(session_rows) == 1
    assert await rows(session_rows, session_rows.c.revoked_at.is_(None)) == 0
    await db.disconnect()


# v5.0.0-13.3.2
async def test_backup_and_what_is_restored_are_readable_by_their_owner_alone(place: Place, person: Person) -> None:
    before = os.umask(0o022)
    try:
        await asyncio.to_thread(place.run, "save", place.old)
        await asyncio.to_thread(place.run, "restore", place.new)
    finally:
        os.umask(before)

    made = [place.file, *place.file.parent.glob("new.db*")]
    assert {stat.S_IMODE(file.stat().st_mode) for file in made} == {0o600}


async def asked(url: str, query: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def rows(table: Any, *where: Any) -> int:
    return int(await db.fetch_value(sa.select(sa.func.count()).select_from(table).where(*where)))
