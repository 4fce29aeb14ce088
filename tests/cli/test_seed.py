"""Rows to try the lists on."""

import os
import pty
import subprocess
import sys
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.__main__ import main
from app.audit.models import event_rows
from app.auth.accounts import user_search
from app.auth.models import user_rows
from app.settings import load_settings
from tests.support.environment import ROOT


async def counts() -> tuple[int, ...]:
    tables = user_rows, event_rows
    return tuple([await db.fetch_value(sa.select(sa.func.count()).select_from(table)) for table in tables])


def test_seed_adds_people_who_are_found_and_events_of_the_last_month(
    here: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["seed", "--users", "30", "--events", "2500"]) == 0
    assert main(["seed", "--users", "30", "--events", "0"]) == 0

    assert capsys.readouterr().out.splitlines()[0] == "Added 30 users and 2500 events."
    assert here(counts) == (60, 2500)
    person = here(lambda: db.fetch_one(sa.select(user_rows).limit(1)))
    assert person.email.endswith(f".{person.id.hex[-12:]}@example.org")  # so a million have as many addresses

    async def found() -> Any:
        matching = await user_search.matching(person.email)
        return await db.fetch_all(sa.select(user_rows).where(*matching.which), matching.values)

    assert here(found) == [person]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of its own")
def test_bar_is_drawn_on_a_terminal_and_nowhere_else(here: Any, capsys: pytest.CaptureFixture[str]) -> None:
    terminal, slave = pty.openpty()
    command = [sys.executable, "-m", "app", "seed", "--users", "3", "--events", "20"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"DATABASE_URL": db.url()}, stderr=slave, check=False)
    os.close(slave)
    drawn = os.read(terminal, 10_000).decode()
    os.close(terminal)

    assert done.returncode == 0
    assert f"people  [{'#' * 40}] 3 of 3" in drawn
    assert f"events  [{'#' * 40}] 20 of 20" in drawn
    assert main(["seed", "--users", "3", "--events", "20"]) == 0
    assert capsys.readouterr().err == ""


def test_nobody_signs_in_as_one_of_them(here: Any) -> None:
    main(["seed", "--users", "3", "--events", "0"])

    rows = here(lambda: db.fetch_all(sa.select(user_rows.c.password)))

    assert len(set(rows)) == 1
    assert rows[0].password.startswith("argon2$argon2id$")


def test_production_is_not_seeded_unless_really(
    here: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    production = load_settings(env="production", argon2_memory_kib=19456)
    monkeypatch.setattr("app.cli.seed.get_settings", lambda: production)

    code = main(["seed", "--users", "3"])
    refused = here(counts)
    really = main(["seed", "--users", "3", "--events", "0", "--yes-really"])

    assert (code, refused, really) == (1, (0, 0), 0)
    assert "--yes-really" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--users", "many"], ["--users", "-1"], ["--events", "1.5"]])
def test_wrong_number_is_wrong_usage(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["seed", *arguments])

    assert left.value.code == 2
