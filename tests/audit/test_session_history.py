"""The picture of a session: every happening has its mark, its lane and the edge from what was presented."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from app import db
from app.audit import events, queries, session_history
from app.audit.session_history import HistoryEntry, Picture
from app.auth import tokens
from app.auth.sessions import rotation, session_cache
from app.auth.sessions.rotation_policy import Decision
from app.web import templates
from tests.support.clock import Clock
from tests.support.people import make_user, start_session

START = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
ROTATED, REPLAYED, REUSED = events.SESSION_ROTATED, events.SESSION_REPLAYED, events.SESSION_REUSED


def at(minutes: float, kind: str, generation: int, where: str = "Chrome on Linux") -> HistoryEntry:
    return HistoryEntry(kind, START + timedelta(minutes=minutes), generation, where)


def renewals(last: int) -> list[HistoryEntry]:
    return [at(0, session_history.STARTED, 1), *(at(15 * (g - 1), ROTATED, g) for g in range(2, last + 1))]


def ends(picture: Picture, kind: str) -> list[tuple[float, float, float, float]]:
    """Where the edges of a kind begin and end: x, y, x, y."""
    found = []
    for edge in picture.edges:
        if edge.kind == kind:
            x, y = edge.path[1:].partition("V")[0].split()
            last = edge.path.rpartition("H")[2] if "H" in edge.path else x
            level = edge.path.rpartition("H")[0].split()[-1] if "H" in edge.path else edge.path.rpartition("V")[2]
            found.append((float(x), float(y), float(last), float(level)))
    return found


def drawn(picture: Picture) -> str:
    macro: Any = templates.environment(templates.TEMPLATES).get_template("_session_history.html").module
    return str(macro.session_history(picture, "one"))


def test_each_renewal_hangs_below_the_one_before() -> None:
    picture = session_history.picture(renewals(3))

    assert [(mark.entry.generation, mark.current) for mark in picture.marks] == [(1, False), (2, False), (3, True)]
    assert ends(picture, ROTATED) == [
        (mark.x, mark.y + 16, following.x, following.y - 16)
        for mark, following in zip(picture.marks, picture.marks[1:], strict=False)
    ]
    assert picture.story == "Signed in, renewed 2 times; the session is alive."


def test_what_came_back_hangs_on_the_pair_that_was_presented() -> None:
    """Two devices: the attacker renews, is handed the same again, and the owner's old copy ends it for both."""
    happened = [
        *renewals(2), at(20, ROTATED, 3, "Attacker"), at(20.2, REPLAYED, 3), at(40, REUSED, 2),
        at(40, events.SESSION_REVOKED, 0, ""),
    ]  # fmt: skip

    picture = session_history.picture(happened, alive=False)

    assert [lane.name for lane in picture.lanes] == ["Chrome on Linux", "Attacker"]
    _, second, stolen, again, old, _ = picture.marks
    below = second.x, second.y + 16
    assert (*below, stolen.x - 16, stolen.y) in ends(picture, ROTATED)
    assert ends(picture, REPLAYED) == [(*below, again.x, again.y - 16)]
    assert ends(picture, REUSED) == [(*below, old.x - 16, old.y)]
    assert not any(mark.current for mark in picture.marks)
    assert "old token reused once; the session has ended" in picture.story


def test_long_run_of_renewals_is_one_mark_and_nothing_else_is_left_out() -> None:
    happened = [*renewals(200), at(3000, REUSED, 7), *[at(3001, events.SESSION_REVOKED, 0, "")]]

    picture = session_history.picture(happened, alive=False)

    assert [mark.entry.generation for mark in picture.marks] == [1, 2, 3, 4, 197, 198, 199, 200, 7, 0]
    assert [mark.label for mark in picture.marks if mark.kind == session_history.RUN] == ["193 renewals"]
    assert len(picture.edges) == 8  # the copy hangs on what is still shown of its time
    assert picture.height < 900


def test_what_a_cut_history_left_out_is_one_mark_and_counted() -> None:
    """`queries.of_session` gives the newest rows alone: the picture must not say "renewed twice" for all of it."""
    row = SimpleNamespace(created_at=START, user_agent="", ip="")
    newest = [
        SimpleNamespace(event=ROTATED, at=START, detail=f"gen {generation}", user_agent="", ip="")
        for generation in (100, 101)
    ]

    picture = session_history.picture(session_history.of_session(row, newest))

    assert [(mark.entry.generation, mark.label) for mark in picture.marks] == [
        (1, "signed in"), (99, "98 renewals"), (100, "renewed"), (101, "renewed"),
    ]  # fmt: skip
    assert len(picture.edges) == 3
    assert picture.story == "Signed in, renewed 100 times; the session is alive."


def test_many_devices_share_the_last_lane() -> None:
    happened = [*renewals(2), *(at(40 + g, ROTATED, g, f"Browser {g}") for g in range(3, 9))]

    picture = session_history.picture(happened)

    assert [lane.name for lane in picture.lanes] == ["Chrome on Linux", "Browser 3", "Browser 4"]
    assert {mark.lane for mark in picture.marks[4:]} == {2}


def test_names_are_cut_and_escaped() -> None:
    evil = "<script>alert(1)</script> on a very long device"

    html = drawn(session_history.picture([at(0, session_history.STARTED, 1, evil)]))

    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/…" in html
    assert "style=" not in html


def test_every_kind_has_words_that_fit_beside_its_mark() -> None:
    assert all(len(words) <= 16 for words in (*session_history.WORDS.values(), *session_history.ENDED.values()))
    assert set(session_history.ENDED) == set(events.REASONS)
    assert set(session_history.WORDS) - {session_history.STARTED, session_history.RUN, session_history.LOST} <= set(
        events.EVENT_TEXT
    )


@pytest.mark.anyio
@pytest.mark.usefixtures("database")
async def test_events_of_a_real_session_become_its_picture(clock: Clock) -> None:
    person = await make_user()
    pair = await start_session(person)
    token = tokens.read(pair.access_token, "access", db.utcnow())
    assert token
    rotate, replay, again, reuse = Decision.ROTATE, Decision.REPLAY, Decision.RETRY, Decision.REUSE
    for seconds, decision in ((900, rotate), (10, replay), (60, again), (600, reuse)):
        clock.forward(seconds=seconds)
        outcome = await rotation.rotate(pair.refresh_token)
        assert outcome.decision is decision
        if isinstance(outcome, rotation.Rotated):
            access = tokens.read(outcome.pair.access_token, "access", db.utcnow())
            assert access
            assert await session_cache.load(access, db.utcnow())

    row = SimpleNamespace(created_at=clock.now, user_agent="", ip="")
    found = session_history.of_session(row, await queries.of_session(person.id, token.sid))

    assert [(one.kind, one.generation) for one in found] == [
        (session_history.STARTED, 1), (ROTATED, 2), (REPLAYED, 2), (events.SESSION_RETRY_REQUESTED, 1), (REUSED, 1),
        (events.SESSION_REVOKED, 0),
    ]  # fmt: skip
    assert found[-1].words == "ended for both"


@pytest.mark.anyio
@pytest.mark.usefixtures("database")
async def test_history_of_a_session_is_its_owners_alone_and_bounded() -> None:
    person, other = await make_user(), await make_user()
    sid = db.uuid7()
    for number in range(5):
        await events.record(ROTATED, user_id=person.id, session_id=sid, detail=f"gen {number}")

    assert [row.detail for row in await queries.of_session(person.id, sid, limit=2)] == ["gen 3", "gen 4"]
    assert await queries.of_session(other.id, sid) == []
