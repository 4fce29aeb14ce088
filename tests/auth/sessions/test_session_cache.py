"""The session cache: no query in the steady state; invalidated at once here, within the feed's interval elsewhere."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from app import db
from app.auth import authentication, tokens
from app.auth.accounts import login_flow, logout_flow, profile, user_admin
from app.auth.claims import AppToken
from app.auth.models import invalidation_rows, session_rows, user_rows
from app.auth.sessions import revocation, rotation, session_cache
from app.auth.tokens import TokenPair
from tests.support import forge
from tests.support.clock import Clock
from tests.support.people import make_user, sign_in, start_session
from tests.support.statements import Sent, sent
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database")]

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    session_cache.clear()
    yield
    session_cache.clear()


@pytest.fixture
def statements() -> Iterator[list[Sent]]:
    """Every statement that reaches the database while the test runs."""
    with sent() as seen:
        yield seen


def access(pair: TokenPair) -> AppToken:
    token = tokens.read(pair.access_token, "access", db.utcnow())
    assert token
    return token


async def load_session(pair: TokenPair) -> session_cache.CachedSession | None:
    return await session_cache.load(access(pair), db.utcnow())


# v5.0.0-7.2.1
async def test_second_load_runs_no_query(statements: list[Sent]) -> None:
    pair = await start_session(await make_user())
    await session_cache.read_invalidations()
    first = await load_session(pair)
    statements.clear()

    assert await load_session(pair) == first

    assert statements == []


@pytest.mark.pattern("why")
@pytest.mark.parametrize("path", ["/api/auth/me", "/api/protected"])
async def test_warm_api_request_runs_no_query(client: Visitor, statements: list[Sent], path: str) -> None:
    """The page promises it: "the server verifies it without checking the database every time"."""
    await sign_in(client, await make_user())
    await session_cache.read_invalidations()
    await client.call("GET", path)
    statements.clear()

    answer = await client.call("GET", path)

    assert answer.status_code == 200
    assert statements == []


async def test_authentication_of_a_warm_page_runs_no_query(client: Visitor, statements: list[Sent]) -> None:
    await sign_in(client, await make_user())
    await session_cache.read_invalidations()
    await client.visit("/dashboard")
    statements.clear()

    assert (await client.visit("/dashboard")).status_code == 200

    assert not [statement for statement in statements if "users" in statement.sql]
    assert len(statements) == 3  # what the page itself shows: the session, the activity, a stolen session


# v5.0.0-16.5.3
async def test_without_a_feed_every_request_checks_in(statements: list[Sent]) -> None:
    pair = await start_session(await make_user())
    await load_session(pair)
    statements.clear()

    await load_session(pair)

    assert statements


async def test_feed_that_was_not_heard_for_five_seconds_is_not_trusted(
    statements: list[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fail closed: nothing remembered counts, and what was remembered is thrown away when the feed is heard again."""
    pair = await start_session(await make_user())
    await session_cache.read_invalidations()
    await load_session(pair)
    begun = session_cache._cache.read_began
    for later, asks in ((4.9, False), (5.1, True)):
        monkeypatch.setattr(session_cache.time, "monotonic", lambda later=later: begun + later)
        statements.clear()

        await load_session(pair)

        assert bool(statements) is asks
    await session_cache.read_invalidations()
    assert len(session_cache._cache.entries) == 0


async def logout(pair: TokenPair) -> None:
    await logout_flow.logout(rotation.presented((pair.refresh_token, "refresh")))


# v5.0.0-7.4.1
async def test_revocation_is_seen_at_once_by_the_worker_that_did_it() -> None:
    pair = await start_session(await make_user())
    await session_cache.read_invalidations()
    assert await load_session(pair)

    await logout(pair)

    assert await load_session(pair) is None


@pytest.mark.parametrize("what", ["logout", "deactivate", "demote", "step-up"])
async def test_change_by_another_worker_is_seen_at_the_next_read(what: str) -> None:
    """The other worker is played by losing what this one forgot at once."""
    person, admin = await make_user(role="admin"), await make_user(role="admin")
    pair = await start_session(person)
    await session_cache.read_invalidations()
    before = await load_session(pair)
    remembered = dict(session_cache._cache.entries)

    if what == "logout":
        await logout(pair)
    elif what == "deactivate":
        await user_admin.change(person.id, admin.id, is_active=False)
    elif what == "demote":
        await user_admin.change(person.id, admin.id, role="user")
    else:
        assert await login_flow.step_up(person.id, access(pair).sid, person.password)
    session_cache._cache.entries.update(remembered)
    assert await load_session(pair) == before  # not heard yet
    await session_cache.read_invalidations()

    after = await load_session(pair)
    assert after is None if what != "demote" else after and after.role == "user"


async def test_change_that_becomes_visible_late_is_still_applied() -> None:
    """Never "id greater than the last": an older row may be committed after a newer one was read."""
    pair = await start_session(await make_user())
    other = await start_session(await make_user())
    await session_cache.read_invalidations()
    await logout(other)
    await session_cache.read_invalidations()
    remembered = await load_session(pair)
    assert remembered

    early = sa.insert(invalidation_rows).values(
        id=UUID(int=1), at=session_cache._cache.read_at, session_id=access(pair).sid
    )
    await db.execute(early)
    await session_cache.read_invalidations()

    assert (access(pair).sid, 1) not in session_cache._cache.entries


async def test_who_changes_often_has_one_row_in_the_feed_and_is_heard_each_time(clock: Clock) -> None:
    """Each worker reads the feed twice a second: a person who takes a new name all day long must not make it long."""
    person = await make_user()
    pair = await start_session(person)
    await session_cache.read_invalidations()

    for name in ("One", "Two", "Three"):
        clock.forward(minutes=4)
        await session_cache.read_invalidations()
        await load_session(pair)
        remembered = dict(session_cache._cache.entries)
        assert await profile.change_name(person.id, name)
        session_cache._cache.entries.update(remembered)  # as another worker, which has not heard of it yet
        await session_cache.read_invalidations()
        heard = await load_session(pair)
        assert heard
        assert heard.name == name

    assert await db.fetch_value(sa.select(sa.func.count()).select_from(invalidation_rows)) == 1


async def test_feed_that_is_too_long_to_read_is_taken_to_name_everybody(
    statements: list[Sent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_cache, "MAX_FEED_ROWS", 3)
    pair = await start_session(await make_user())
    await session_cache.read_invalidations()
    for rows, forgotten in ((3, False), (1, True)):
        values = [
            {"id": (sid := db.uuid7()), "at": session_cache._cache.read_at, "session_id": sid} for _ in range(rows)
        ]
        await load_session(pair)
        await db.execute(sa.insert(invalidation_rows).values(values))

        await session_cache.read_invalidations()

        assert (len(session_cache._cache.entries) == 0) is forgotten
    statements.clear()
    await session_cache.read_invalidations()
    assert "LIMIT" in statements[0].sql


async def test_rows_are_applied_again_and_again_within_the_window(clock: Clock) -> None:
    """A check-in that overlapped the change and stored late must not survive the next read."""
    pair = await start_session(await make_user())
    await session_cache.read_invalidations()
    await load_session(pair)
    stale = dict(session_cache._cache.entries)
    await logout(pair)

    for minutes in (0, 1, 3):
        clock.forward(minutes=minutes)
        session_cache._cache.entries.update(stale)
        await session_cache.read_invalidations()
        assert len(session_cache._cache.entries) == 0


# v5.0.0-15.4.1
async def test_check_in_that_overlaps_a_revocation_stores_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted race with barriers: the rows are read, then the session ends, then the check-in goes on."""
    pair = await start_session(await make_user())
    await session_cache.read_invalidations()
    read, go_on = asyncio.Event(), asyncio.Event()
    ask_the_rows: Callable[..., Any] = session_cache._load_rows

    async def held(*arguments: Any) -> Any:
        answer = await ask_the_rows(*arguments)
        read.set()
        await go_on.wait()
        return answer

    monkeypatch.setattr(session_cache, "_load_rows", held)
    checking_in = asyncio.create_task(load_session(pair))
    await read.wait()
    await logout(pair)
    go_on.set()
    assert await checking_in  # it overlapped: either answer is true

    assert len(session_cache._cache.entries) == 0
    assert await load_session(pair) is None


async def test_process_that_slept_through_the_feed_stores_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = await start_session(await make_user())
    await session_cache.read_invalidations()
    ask_the_rows: Callable[..., Any] = session_cache._load_rows
    begun = session_cache._cache.read_began

    async def slept(*arguments: Any) -> Any:
        answer = await ask_the_rows(*arguments)
        monkeypatch.setattr(session_cache.time, "monotonic", lambda: begun + 600)
        return answer

    monkeypatch.setattr(session_cache, "_load_rows", slept)

    assert await load_session(pair)

    assert len(session_cache._cache.entries) == 0


async def test_failed_transaction_invalidates_nothing() -> None:
    pair = await start_session(await make_user())
    await session_cache.read_invalidations()
    await load_session(pair)

    async def fails() -> None:
        async with db.transaction() as tx:
            await revocation.revoke(access(pair).sid, "logout", tx=tx, now=db.utcnow())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()

    assert len(session_cache._cache.entries) == 1
    assert await db.fetch_all(sa.select(invalidation_rows)) == []
    assert await load_session(pair)


async def test_cached_session_expires_with_its_token(clock: Clock) -> None:
    pair = await start_session(await make_user())
    await session_cache.read_invalidations()
    await load_session(pair)
    token = access(pair)
    clock.forward(minutes=15)

    assert tokens.read(pair.access_token, "access", db.utcnow()) is None
    assert token.exp <= db.utcnow()


async def test_role_is_read_from_the_rows_before_anything_dangerous(client: Visitor) -> None:
    """A demotion that this worker has not read from the feed yet: the cached role is admin, the row's is not."""
    person, victim = await make_user(role="admin"), await make_user()
    await sign_in(client, person)
    await session_cache.read_invalidations()
    assert (await client.visit("/admin/users")).status_code == 200
    await db.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(role="user"))

    assert (await client.visit("/admin/users")).status_code == 200  # from the cache
    answer = await client.submit(f"/admin/users/{victim.id}/deactivate")

    assert answer.status_code == 403
    assert await db.fetch_value(sa.select(user_rows.c.is_active).where(user_rows.c.id == victim.id))


async def test_cached_session_of_another_user_does_not_serve_a_forged_token() -> None:
    """Keyed by session and generation; the subject is compared all the same."""
    pair = await start_session(await make_user())
    other = await make_user()
    await session_cache.read_invalidations()
    await load_session(pair)

    forged = tokens.read(forge.resign(pair.access_token, sub=str(other.id)), "access", db.utcnow())

    assert forged
    assert await session_cache.load(forged, db.utcnow()) is None


@pytest.mark.parametrize(
    ("check", "claims", "session", "user"),
    [
        (None, {}, {}, {}),
        ("session", {"sid": str(db.uuid7())}, {}, {}),
        ("account", {"gen": 2}, {"revoked_at": LONG_AGO, "ends_at": LONG_AGO}, {"is_active": False}),
        ("revoked", {"gen": 2}, {"revoked_at": LONG_AGO, "ends_at": LONG_AGO}, {}),
        ("ended", {"gen": 2, "sub": str(db.uuid7())}, {"ends_at": LONG_AGO}, {}),
        ("owner", {"gen": 2, "sub": str(db.uuid7())}, {}, {}),
        ("generation", {"gen": 2}, {}, {}),
    ],
)
async def test_refusal_names_the_first_check_of_the_rows_that_fails(
    check: str | None, claims: dict[str, Any], session: dict[str, Any], user: dict[str, Any]
) -> None:
    person = await make_user()
    pair = await start_session(person)
    token = access(TokenPair(forge.resign(pair.access_token, **claims), "", 0, 0))
    await db.execute(sa.update(session_rows).values({"confirmed": 0} | session))
    await db.execute(sa.update(user_rows).values({"name": person.name} | user))

    assert await session_cache.rejected_by(token, db.utcnow()) == check
    confirmed = await db.fetch_value(sa.select(session_rows.c.confirmed))
    cached = await session_cache.load(token, db.utcnow(), use_cache=False)

    assert (cached is None) is (check is not None)
    assert confirmed == 0  # explaining changes nothing


async def test_cache_is_bounded() -> None:
    assert session_cache._cache.entries.maxsize == session_cache.MAX_ENTRIES


async def test_principal_does_not_show_its_token() -> None:
    pair = await start_session(await make_user())
    headers = [(b"authorization", f"Bearer {pair.access_token}".encode())]

    principal = await authentication.identify({"headers": headers})

    assert principal.is_authenticated
    assert pair.access_token not in repr(principal)
    assert "jti" not in repr(principal)
