"""Sessions on a real database: start, rotate, revoke, and what the audit log says of it."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth import tokens
from app.auth.accounts import login_flow, logout_flow, user_admin
from app.auth.accounts.user_admin import Outcome
from app.auth.models import session_rows, user_rows
from app.auth.sessions import lifetime, revocation, rotation, session_cache
from app.auth.sessions.rotation import Rejected, Rotated
from app.auth.sessions.rotation_policy import Decision
from app.web import client
from tests.support import forge
from tests.support.clock import Clock
from tests.support.people import make_user, start_session

pytestmark = [pytest.mark.database, pytest.mark.anyio, pytest.mark.usefixtures("database")]


async def rotated(raw: str, **options: Any) -> tokens.TokenPair:
    outcome = await rotation.rotate(raw, **options)
    assert isinstance(outcome, Rotated), outcome
    return outcome.pair


async def decision(raw: str, **options: Any) -> Decision:
    outcome = await rotation.rotate(raw, **options)
    assert isinstance(outcome, Rejected), outcome
    return outcome.decision


async def use(pair: tokens.TokenPair) -> bool:
    """Visit a page with the access token: this is what proves that the pair arrived."""
    token = tokens.read(pair.access_token, "access", db.utcnow())
    return token is not None and await session_cache.load(token, db.utcnow()) is not None


async def the_session(pair: tokens.TokenPair) -> Any:
    sid = UUID(forge.claims(pair.refresh_token)["sid"])
    return await db.fetch_one(sa.select(session_rows).where(session_rows.c.id == sid))


async def audited() -> list[str]:
    return [row.event for row in await db.fetch_all(sa.select(event_rows).order_by(event_rows.c.id))]


@pytest.mark.pattern("refresh-endpoint")
async def test_one_refresh_gives_the_next_generation_and_one_event(clock: Clock) -> None:
    """R1"""
    pair = await start_session(await make_user())
    clock.forward(minutes=15)

    following = await rotated(pair.refresh_token)

    assert forge.claims(following.refresh_token)["gen"] == 2
    assert forge.claims(following.access_token)["gen"] == 2
    assert await audited() == [events.SESSION_ROTATED]
    row = await the_session(pair)
    assert (row.generation, row.confirmed, row.handed_at) == (2, 1, clock.now)
    assert await use(following)


async def test_session_says_where_it_was_refreshed_last_and_the_log_that_it_was(
    clock: Clock, logged: list[dict[str, Any]]
) -> None:
    """v5.0.0-16.3.1"""
    pair = await start_session(await make_user())
    clock.forward(minutes=15)
    browser: dict[str, Any] = {"client": ("192.0.2.7", 50000), "headers": [(b"user-agent", b"a browser of its own")]}

    with client.of(browser):
        await rotated(pair.refresh_token)

    row = await the_session(pair)
    assert (row.ip, row.user_agent, row.last_seen_at) == ("192.0.2.7", "a browser of its own", clock.now)
    (line,) = [line for line in logged if line["event"] == events.SESSION_ROTATED]
    assert (line["ip"], line["detail"]) == ("192.0.2.7", "gen 2")


@pytest.mark.parametrize(
    ("same", "ip", "ended"), [(True, "192.0.2.7", False), (False, "192.0.2.8", False), (False, "192.0.2.7", True)]
)
async def test_session_counts_as_never_confirmed_for_its_own_address_while_it_lasts(
    same: bool, ip: str, ended: bool
) -> None:
    person, headers = await make_user(), [(b"user-agent", b"a browser")]
    with client.of({"client": ("192.0.2.7", 50000), "headers": headers}):
        await start_session(person)
    if ended:
        async with db.transaction() as tx:
            await revocation.revoke_all(person.id, "logout", tx=tx, now=db.utcnow())

    with client.of({"client": (ip, 50000), "headers": headers}):
        assert await rotation.was_never_confirmed(db.utcnow()) is same


async def test_late_tab_within_the_leeway_gets_the_same_successor(clock: Clock) -> None:
    pair = await start_session(await make_user())
    following = await rotated(pair.refresh_token)
    assert await use(following)
    clock.forward(seconds=30)

    again = await rotated(pair.refresh_token)

    assert forge.claims(again.refresh_token)["gen"] == 2
    row = await the_session(pair)
    assert (row.generation, row.handed_at) == (2, clock.now - timedelta(seconds=30))  # the leeway was not extended


async def test_lost_response_is_issued_again_days_later(clock: Clock) -> None:
    pair = await start_session(await make_user())
    await rotated(pair.refresh_token)  # the answer never arrives
    clock.forward(days=5)

    again = await rotated(pair.refresh_token)

    assert forge.claims(again.refresh_token)["gen"] == 2
    assert (await the_session(pair)).handed_at == clock.now


async def test_row_changed_after_the_decision_is_decided_again(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a late tab of generation 1 would be handed generation 3, which nobody but its owner may have."""
    first = await start_session(await make_user())
    second = await rotated(first.refresh_token)
    read, handed = db.fetch_one, []

    async def overtaken(statement: Any, values: Any = None) -> Any:
        row = await read(statement, values)
        if statement is rotation._SESSION_AND_USER and not handed:
            handed.append(None)  # the rotation below reads, too
            handed[0] = await rotated(second.refresh_token)
        return row

    monkeypatch.setattr(db, "fetch_one", overtaken)

    assert await decision(first.refresh_token) is Decision.REUSE
    assert forge.claims(handed[0].refresh_token)["gen"] == 3


async def test_session_that_ends_after_its_row_was_read_issues_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = await start_session(await make_user())
    read = db.fetch_one

    async def overtaken(statement: Any, values: Any = None) -> Any:
        row = await read(statement, values)
        if statement is rotation._SESSION_AND_USER and row.revoked_at is None:
            async with db.transaction() as tx:
                await revocation.revoke(row.id, events.LOGGED_OUT, tx=tx, now=db.utcnow())
        return row

    monkeypatch.setattr(db, "fetch_one", overtaken)

    assert await decision(pair.refresh_token) is Decision.ENDED
    assert (await the_session(pair)).generation == 1
    assert events.SESSION_ROTATED not in await audited()


async def test_stale_token_gets_retry_and_no_token(clock: Clock) -> None:
    pair = await start_session(await make_user())
    assert await use(await rotated(pair.refresh_token))
    clock.forward(seconds=60)

    outcome = await rotation.rotate(pair.refresh_token)

    assert isinstance(outcome, Rejected)
    assert outcome.decision is Decision.RETRY
    assert outcome.marker
    assert (await the_session(pair)).revoked_at is None
    assert await audited() == [events.SESSION_ROTATED, events.SESSION_RETRY_REQUESTED]


async def test_stale_token_with_the_marker_is_reuse(clock: Clock) -> None:
    """R12"""
    pair = await start_session(await make_user())
    following = await rotated(pair.refresh_token)
    assert await use(following)
    clock.forward(seconds=60)
    outcome = await rotation.rotate(pair.refresh_token)
    assert isinstance(outcome, Rejected)

    assert await decision(pair.refresh_token, marker=outcome.marker) is Decision.REUSE

    assert not await use(following)
    assert events.SESSION_REUSED in await audited()


@pytest.mark.parametrize(
    "spoil", [lambda m: m[:-1], lambda m: "9" + m, lambda m: "x", lambda m: "٣." + m, lambda m: m + "é"]
)
async def test_spoilt_marker_counts_as_none(clock: Clock, spoil: Any) -> None:
    pair = await start_session(await make_user())
    assert await use(await rotated(pair.refresh_token))
    clock.forward(seconds=60)
    outcome = await rotation.rotate(pair.refresh_token)
    assert isinstance(outcome, Rejected)

    assert await decision(pair.refresh_token, marker=spoil(outcome.marker)) is Decision.RETRY


async def test_marker_is_good_for_a_minute_and_for_its_own_token(clock: Clock) -> None:
    person = await make_user()
    pair, other = await start_session(person), await start_session(person)
    for one in (pair, other):
        assert await use(await rotated(one.refresh_token))
    clock.forward(seconds=60)
    outcome = await rotation.rotate(pair.refresh_token)
    assert isinstance(outcome, Rejected)

    assert await decision(other.refresh_token, marker=outcome.marker) is Decision.RETRY
    clock.forward(seconds=60)
    assert await decision(pair.refresh_token, marker=outcome.marker) is Decision.RETRY


# v5.0.0-10.4.5
@pytest.mark.parametrize("ahead", [2, 5])
@pytest.mark.parametrize("seconds", [0, 10, 1000])
async def test_generation_two_or_more_behind_is_reuse_at_any_time(clock: Clock, ahead: int, seconds: int) -> None:
    """R11"""
    pair = newest = await start_session(await make_user())
    for _ in range(ahead):
        newest = await rotated(newest.refresh_token)
    clock.forward(seconds=seconds)

    assert await decision(pair.refresh_token) is Decision.REUSE

    assert not await use(newest)
    assert await decision(newest.refresh_token) is Decision.ENDED


async def test_generation_before_after_five_minutes_is_reuse(clock: Clock) -> None:
    """R10"""
    pair = await start_session(await make_user())
    following = await rotated(pair.refresh_token)
    assert await use(following)
    clock.forward(seconds=301)

    assert await decision(pair.refresh_token) is Decision.REUSE

    assert not await use(following)


async def test_revocation_does_not_open_the_leeway_again(clock: Clock) -> None:
    pair = await start_session(await make_user())
    following = await rotated(pair.refresh_token)
    async with db.transaction() as tx:
        await revocation.revoke((await the_session(pair)).id, events.LOGGED_OUT, tx=tx, now=clock.now)

    assert await decision(pair.refresh_token) is Decision.ENDED
    assert await decision(following.refresh_token) is Decision.ENDED


# v5.0.0-10.4.8, v5.0.0-7.3.2
async def test_refresh_never_moves_the_absolute_end(clock: Clock) -> None:
    """R23: thirty days of refreshing, then no more (v5.0.0-10.4.8)."""
    pair = await start_session(await make_user())
    ends_at = (await the_session(pair)).ends_at
    while clock.now + timedelta(days=6) < ends_at:
        clock.forward(days=6)
        pair = await rotated(pair.refresh_token)
    clock.now = ends_at - timedelta(seconds=10)
    last = await rotated(pair.refresh_token)

    clock.now = ends_at

    assert last.refresh_expires_in == 10
    assert (await the_session(pair)).ends_at == ends_at
    assert await decision(last.refresh_token) is Decision.ENDED
    assert not await use(last)


# v5.0.0-7.3.1
async def test_idle_week_ends_the_session(clock: Clock) -> None:
    pair = await start_session(await make_user())

    clock.forward(days=7)

    assert await decision(pair.refresh_token) is Decision.ENDED


@pytest.mark.parametrize("hours", [-1, 1])
async def test_worker_whose_clock_is_an_hour_off_makes_no_reuse_and_no_eternal_token(clock: Clock, hours: int) -> None:
    """R21: rotation asks the database's clock alone."""
    pair = await start_session(await make_user())
    clock.set_worker_apart(hours=hours)

    following = await rotated(pair.refresh_token)
    assert await rotated(pair.refresh_token)

    claims = forge.claims(following.access_token)
    assert claims["exp"] == int(clock.now.timestamp()) + 900


@pytest.mark.parametrize("minutes", [3, 10, 180])
async def test_clock_of_the_database_set_back_keeps_every_rule_of_rotation(clock: Clock, minutes: int) -> None:
    """`iat` lies ahead then; generation and `jti` decide. Clients throw a token away that is `invalid_grant`."""
    pair = await start_session(await make_user())
    clock.forward(minutes=-minutes)

    following = await rotated(pair.refresh_token)  # the newest
    assert forge.claims((await rotated(pair.refresh_token)).refresh_token)["gen"] == 2  # its answer was lost
    assert await use(following)
    clock.forward(minutes=-minutes)
    assert await decision(pair.refresh_token) is Decision.RETRY  # how old it is nobody knows
    third = await rotated(following.refresh_token)

    assert forge.claims(third.refresh_token)["gen"] == 3
    assert await use(third)
    assert await decision(pair.refresh_token) is Decision.REUSE


async def test_lost_response_is_not_issued_again_for_an_expired_token(clock: Clock) -> None:
    pair = await start_session(await make_user())
    clock.forward(days=5)
    await rotated(pair.refresh_token)  # the answer never arrives; the session lives until day 12
    clock.forward(days=2)

    assert await decision(pair.refresh_token) is Decision.ENDED

    assert (await the_session(pair)).revoked_at is None


async def test_old_token_is_reuse_even_when_it_is_over(clock: Clock) -> None:
    """An attacker who waits for a week is found out all the same: the session is live, and both hold it."""
    first = await start_session(await make_user())
    clock.forward(days=5)
    second = await rotated(first.refresh_token)
    await rotated(second.refresh_token)
    clock.forward(days=3)

    assert await decision(first.refresh_token) is Decision.REUSE

    assert (await the_session(first)).revoked_for == events.REUSED


async def test_two_workers_a_minute_apart_agree(clock: Clock) -> None:
    """R21"""
    pair = await start_session(await make_user())
    clock.set_worker_apart(seconds=30)
    following = await rotated(pair.refresh_token)
    clock.set_worker_apart(seconds=-30)

    assert await use(following)
    assert forge.claims((await rotated(pair.refresh_token)).refresh_token)["gen"] == 2


# v5.0.0-7.4.2
async def test_deactivated_account_refreshes_no_more_and_keeps_no_access() -> None:
    """R22"""
    person, admin = await make_user(), await make_user(role="admin")
    pair = await start_session(person)

    assert await user_admin.change(person.id, admin.id, is_active=False) is Outcome.DONE

    assert await decision(pair.refresh_token) is Decision.ENDED
    assert not await use(pair)


async def test_reactivated_account_does_not_get_its_old_sessions_back() -> None:
    person, admin = await make_user(), await make_user(role="admin")
    pair = await start_session(person)
    await user_admin.change(person.id, admin.id, is_active=False)

    assert await user_admin.change(person.id, admin.id, is_active=True) is Outcome.DONE

    assert await decision(pair.refresh_token) is Decision.ENDED


# v5.0.0-8.3.2
async def test_demotion_counts_at_the_next_check_and_ends_no_session() -> None:
    """R22; the token still says admin."""
    person = await make_user(role="admin")
    pair = await start_session(person)
    await db.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(role="user"))

    token = tokens.read(pair.access_token, "access", db.utcnow())
    assert token
    cached = await session_cache.load(token, db.utcnow())

    assert token.role == "admin"
    assert cached
    assert cached.role == "user"
    assert forge.claims((await rotated(pair.refresh_token)).access_token)["role"] == "user"


async def test_step_up_keeps_the_absolute_end_and_ends_the_old_session(clock: Clock) -> None:
    """R22: an attacker who has the old tokens gains nothing."""
    person = await make_user()
    pair = await start_session(person)
    before = await the_session(pair)
    clock.forward(minutes=20)

    fresh = await login_flow.step_up(person.id, before.id, person.password)

    assert fresh
    after = await the_session(fresh)
    assert (after.ends_at, after.authenticated_at) == (before.ends_at, clock.now)
    assert await decision(pair.refresh_token) is Decision.ENDED
    assert (await the_session(pair)).revoked_for == events.REPLACED


async def test_step_up_in_a_session_that_ended_meanwhile_gives_nothing() -> None:
    person = await make_user()
    pair = await start_session(person)
    row = await the_session(pair)
    await logout_flow.logout(rotation.presented((pair.refresh_token, "refresh")))

    assert await login_flow.step_up(person.id, row.id, person.password) is None

    assert len(await db.fetch_all(sa.select(session_rows))) == 1


# v5.0.0-7.2.3
@pytest.mark.parametrize("changes", [{"gen": 2}, {"gen": 9}])
async def test_leaked_signing_key_alone_forges_no_refresh_token(changes: dict[str, int]) -> None:
    pair = await start_session(await make_user())

    assert await decision(forge.resign(pair.refresh_token, **changes)) is Decision.INVALID

    assert (await the_session(pair)).revoked_at is None


# v5.0.0-7.2.3
@pytest.mark.parametrize("forged", [{"gen": 1}, {"gen": 2}, {"gen": 3}, {"jti": "0" * 64}, {"jti": ""}], ids=str)
async def test_generation_that_was_issued_is_worth_nothing_without_its_own_jti(forged: dict[str, Any]) -> None:
    """With the signing key alone an attacker would go on in the session, or end it as reused."""
    first = await start_session(await make_user())
    second = await rotated(first.refresh_token)
    assert await use(second)
    third = await rotated(second.refresh_token)
    known = {1: second, 2: first, 3: first}[forged.get("gen", 3)] if "gen" in forged else third

    assert await decision(forge.resign(known.refresh_token, **forged)) is Decision.INVALID

    row = await the_session(third)
    assert (row.revoked_at, row.generation) == (None, 3)
    assert await rotated(third.refresh_token)


async def test_token_of_a_session_that_maintenance_has_deleted_is_over() -> None:
    pair = await start_session(await make_user())
    await db.execute(sa.delete(session_rows))

    assert await decision(pair.refresh_token) is Decision.ENDED


# v5.0.0-16.3.3
async def test_generation_never_issued_is_recorded() -> None:
    """Only somebody with the database's secret and the signing key can make one."""
    pair = await start_session(await make_user())
    row = await the_session(pair)

    forged = forge.resign(pair.refresh_token, gen=7, jti=tokens.refresh_jti(row.secret, 7))

    assert await decision(forged) is Decision.INVALID
    assert await audited() == [events.REFRESH_FROM_THE_FUTURE]


async def test_token_of_another_person_is_invalid() -> None:
    pair, other = await start_session(await make_user()), await make_user()

    assert await decision(forge.resign(pair.refresh_token, sub=str(other.id))) is Decision.INVALID


async def test_revocation_after_reuse_is_there_for_a_fresh_connection(clock: Clock) -> None:
    """Other projects rolled it back together with the 401."""
    pair = newest = await start_session(await make_user())
    for _ in range(2):
        newest = await rotated(newest.refresh_token)
    assert await decision(pair.refresh_token) is Decision.REUSE
    await db.disconnect()
    await db.connect()

    assert (await the_session(pair)).revoked_for == events.REUSED


async def test_quick_resumes_are_counted_and_a_pause_forgets_them(clock: Clock) -> None:
    pair = await start_session(await make_user())
    counts = []
    for pause in (1, 1, 4, 1, 5, 1):
        clock.forward(seconds=pause)
        outcome = await rotation.rotate(pair.refresh_token)
        assert isinstance(outcome, Rotated)
        pair = outcome.pair
        counts.append(outcome.quick)

    assert counts == [1, 2, 3, 4, 0, 1]


async def test_ending_all_sessions_but_one_leaves_those_of_others(clock: Clock) -> None:
    person, bystander = await make_user(), await make_user()
    kept, ended, others = [await start_session(each) for each in (person, person, bystander)]
    sid = UUID(forge.claims(kept.refresh_token)["sid"])

    async with db.transaction() as tx:
        assert await revocation.revoke_all(person.id, events.ENDED_BY_OWNER, tx=tx, now=clock.now, but=sid) == 1

    assert [(await the_session(pair)).revoked_for for pair in (kept, ended, others)] == [
        None, events.ENDED_BY_OWNER, None,
    ]  # fmt: skip


@pytest.mark.parametrize("of_one", [True, False])
@pytest.mark.parametrize(
    ("changes", "live"),
    [
        ({}, True),
        ({"revoked_at": timedelta(0)}, False),
        ({"ends_at": timedelta(seconds=1)}, True),
        ({"ends_at": timedelta(0)}, False),
        ({"handed_at": timedelta(seconds=1) - timedelta(days=7)}, True),
        ({"handed_at": -timedelta(days=7)}, False),
    ],
    ids=str,
)
async def test_live_session_is_neither_ended_nor_idle_nor_over(
    clock: Clock, changes: dict[str, timedelta], live: bool, of_one: bool
) -> None:
    person, bystander = await make_user(), await make_user()
    pair = await start_session(person)
    sid = UUID(forge.claims(pair.refresh_token)["sid"])
    await start_session(bystander)
    if changes:
        values = {name: clock.now + by for name, by in changes.items()}
        await db.execute(sa.update(session_rows).where(session_rows.c.id == sid).values(values))

    which = lifetime.is_live(clock.now, of=person.id if of_one else None)
    found = [row.id for row in await db.fetch_all(sa.select(session_rows).where(which))]

    assert (sid in found) is live
    assert len(found) == live + (not of_one)
