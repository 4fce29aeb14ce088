"""The time machine decides as the real server does, each scenario shows what its text says, and links have limits."""

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from app import db
from app.audit import events
from app.auth import tokens
from app.auth.models import session_rows
from app.auth.sessions import rotation, rotation_policy
from app.auth.sessions.rotation_policy import Decision
from app.learn.lab import scenarios, simulation
from app.learn.lab.simulation import Row, replay
from tests.support import forge
from tests.support.clock import Clock
from tests.support.people import make_user, start_session
from tests.support.visitor import Visitor

moves = st.lists(st.sampled_from([*simulation.MOVES, "w20", "w120", "w960", "w86400"]), max_size=simulation.MOST_MOVES)


def played(title: str) -> simulation.World:
    found = next(one for one in scenarios.ALL if one.title == title)
    return replay(simulation.read(found.moves), found.loss)


def decisions(world: simulation.World) -> list[Decision]:
    return [line.decision for line in world.log if line.decision]


@pytest.mark.anyio
@pytest.mark.parametrize("scenario", scenarios.ALL, ids=lambda scenario: scenario.title)
async def test_simulated_server_decides_as_the_real_one(
    database: str, clock: Clock, monkeypatch: pytest.MonkeyPatch, scenario: scenarios.Scenario
) -> None:
    """Every token of the scenario is presented to `rotation.rotate`, too, at the same time after the login."""
    asked: list[tuple[Any, int, bool, Any, Decision]] = []

    def listening(row: Row, active: bool, g: int, again: bool, now: Any, idle: Any, *, proven: bool) -> Decision:
        before = Row(**vars(row))
        asked.append((before, g, again, now, rotation_policy.decide(row, active, g, again, now, idle, proven=proven)))
        return asked[-1][-1]

    monkeypatch.setattr(simulation, "decide", listening)
    world = replay(simulation.read(scenario.moves), scenario.loss)
    pair = await start_session(await make_user())
    started, first = clock.now, await the_row(pair)

    for before, g, again, at, decision in asked:
        clock.now = started + (at - simulation.START)
        await db.execute(sa.update(session_rows).values(confirmed=before.confirmed))  # who uses a pair has received it
        row = await the_row(pair)
        assert (row.generation, row.handed_at - started) == (before.generation, before.handed_at - simulation.START)
        outcome = await rotation.rotate(refresh_token(first, g, clock), retried=again)
        assert outcome.decision is decision

    assert (await the_row(pair)).generation == world.row.generation
    assert ((await the_row(pair)).revoked_at is None) is (world.row.revoked_at is None)


async def the_row(pair: tokens.TokenPair) -> Any:
    sid = UUID(forge.claims(pair.refresh_token)["sid"])
    return await db.fetch_one(sa.select(session_rows).where(session_rows.c.id == sid))


def refresh_token(row: Any, g: int, clock: Clock) -> str:
    session: Any = type("Session", (), dict(row._mapping) | {"generation": g})
    return tokens.issue_pair(session, role="user", now=clock.now).refresh_token


@pytest.mark.parametrize(
    ("title", "seen", "alive"),
    [
        ("Two tabs", [Decision.ROTATE, Decision.REPLAY, Decision.ROTATE], True),
        ("A lost response", [Decision.ROTATE, Decision.REPLAY, Decision.ROTATE], True),
        ("The attacker refreshes first", [Decision.ROTATE, Decision.REUSE], False),
        (
            "An attacker within the leeway",
            [Decision.ROTATE, Decision.REPLAY, Decision.ROTATE, Decision.REPLAY, Decision.ROTATE, Decision.REUSE],
            False,
        ),
        ("A delayed request", [Decision.ROTATE, Decision.RETRY, Decision.ROTATE], True),
    ],
)
def test_scenario_goes_as_its_text_says(title: str, seen: list[Decision], alive: bool) -> None:
    world = played(title)

    assert decisions(world) == seen
    assert world.alive is alive


def test_unreliable_network_loses_responses_and_signs_nobody_out() -> None:
    world = played("An unreliable network")

    assert decisions(world).count(Decision.REPLAY) >= 3
    assert set(decisions(world)) == {Decision.ROTATE, Decision.REPLAY}
    assert world.alive


def test_attacker_who_presents_a_replaced_token_ends_the_session() -> None:
    world = replay(["c", "w960", "1", "w960", "t", "1"])

    assert [line.text for line in world.log][-2:] == [
        "presents refresh token 1, which was replaced before: the session ends for everyone.",
        "presents refresh token 2, but the session has ended.",
    ]
    assert world.happened[-1].kind == events.SESSION_REVOKED


@given(moves, st.integers(0, 90))
def test_without_an_attacker_nobody_is_signed_out_but_by_time(plan: list[str], loss: int) -> None:
    """As tests/race/test_property.py, in the simulation; a delayed request arrives within minutes there, too."""
    honest = [move for move in plan if move not in ("c", "t", "h", "d")]

    world = replay(honest, loss)

    assert world.row.revoked_at is None
    assert Decision.REUSE not in decisions(world)


@given(moves, st.integers(0, 90))
def test_any_moves_can_be_played_and_drawn_and_come_out_the_same(plan: list[str], loss: int) -> None:
    world = replay(plan, loss)

    assert simulation.picture(world).marks
    assert replay(plan, loss).log == world.log
    assert simulation.read("-".join(plan)) == plan


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("", []),
        ("1-2-b", ["1", "2", "b"]),
        ("1--2-?-w-w0-w9999999-wx-w-5-w٣-<script>", ["1", "2"]),
        ("w60-W60-11", ["w60"]),
        ("1-" * 400, ["1"] * simulation.MOST_MOVES),
    ],
)
def test_link_is_read_within_its_bounds(raw: str, read: list[str]) -> None:
    assert simulation.read(raw) == read


def test_moves_are_added_undone_and_restarted() -> None:
    assert simulation.after(["1"], "w60") == ["1", "w60"]
    assert simulation.after(["1", "2"], "undo") == ["1"]
    assert simulation.after([], "undo") == []
    assert simulation.after(["1"], "restart") == []
    assert simulation.after(["1"], "nonsense") == ["1"]
    assert simulation.after(["1"] * simulation.MOST_MOVES, "2") == ["1"] * simulation.MOST_MOVES


@pytest.mark.parametrize(
    ("seconds", "text"), [(1, "1 second"), (90, "90 seconds"), (960, "16 minutes"), (3600, "1 hour"), (86400, "1 day")]
)
def test_wait_in_words(seconds: int, text: str) -> None:
    assert simulation.words(seconds) == text


@pytest.mark.anyio
async def test_move_redirects_to_an_address_that_contains_all_moves(client: Visitor, database: str) -> None:
    answer = await client.visit("/learn/lab/time-machine?moves=1-c&loss=20&wait=90&move=w")

    assert answer.status_code == 303
    assert answer.headers["location"] == "/learn/lab/time-machine?moves=1-c-w90&loss=20&wait=90&pressed=w"
    page = await client.visit(answer.headers["location"])
    assert "The clock moves forward by 90 seconds." in page.text


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (["w86400"] * 8, "nobody refreshed it for 7 days"),
        (["w86400"] * 7, "nobody refreshed it for 7 days"),
        (["w518400", "1"] * 5, "its maximum lifetime of 30 days is over"),
        (["c", "w960", "1", "w960", "1", "t"], "an old token was used again"),
        (["w518400", "1"] * 4, "generation 5"),
    ],
    ids=len,
)
async def test_page_says_why_the_session_has_ended(
    client: Visitor, database: str, plan: list[str], reason: str
) -> None:
    page = await client.visit(f"/learn/lab/time-machine?moves={'-'.join(plan)}")

    assert reason in page.text.partition('role="status"')[2].partition("</p>")[0]


@pytest.mark.anyio
async def test_invalid_moves_in_a_link_are_ignored(client: Visitor, database: str) -> None:
    link = "/learn/lab/time-machine?moves=%3Cscript%3E-1&loss=9999&wait=-1&move=%27"

    page = await client.visit(link, follow_redirects=True)

    assert page.status_code == 200
    assert str(page.url).endswith("?moves=1&loss=90&wait=60&pressed=%27")
    assert "<script>-" not in page.text
