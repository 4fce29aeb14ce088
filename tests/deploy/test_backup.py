"""Backups are taken and restored for real, on both databases; what is over stays over."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.auth import accounts
from app.auth.models import link_rows, session_rows
from app.mail import outbox
from app.mail.models import letter_rows
from app.notes import store
from tests.support import database as databases
from tests.support import postgres
from tests.support.environment import ROOT
from tests.support.people import Person, make_user, start_session
from tests.support.programs import pooling

pytestmark = pytest.mark.anyio

SCRIPT = ROOT / "deploy" / "backup.py"


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
    """With a session, a link in the mail and a letter owed."""
    db.point_at(place.old)
    await db.connect()
    person = await make_user(name="Ælfrīc 'Quoted' Example")
    await start_session(person)
    await store.create(person.id, "Kept", "since before the backup")  # notes
    async with db.transaction() as tx:
        await outbox.put(tx, "nothing", recipient=person.email)
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
    assert [note.title for note in (await store.listing(person.id)).items] == ["Kept"]  # notes
    assert await rows(session_rows, session_rows.c.revoked_at.is_(None)) == 0
    assert await rows(session_rows) == 1
    assert await rows(link_rows) == 0
    assert await rows(letter_rows, letter_rows.c.dropped_at.is_(None)) == 0
    assert await accounts.login(person.email, person.password) is not None


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


async def rows(table: Any, *where: Any) -> int:
    return int(await db.fetch_value(sa.select(sa.func.count()).select_from(table).where(*where)))
