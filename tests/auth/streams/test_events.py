"""Event streams: who gets one, what arrives, and that it ends when the permission would refuse a page."""

from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.auth import tokens
from app.auth.accounts import logout_flow, password_change, user_admin
from app.auth.models import user_rows
from app.auth.permissions import SignedIn
from app.auth.sessions import session_cache
from app.auth.streams import events, open_streams
from app.auth.streams.events import Event
from app.auth.streams.open_streams import End
from app.auth.tokens import TokenPair
from app.settings import get_settings
from app.web import urls
from tests.auth.streams.conftest import Feed, checked
from tests.support.clock import Clock
from tests.support.people import PASSWORD, make_user, start_session
from tests.support.sent import bearer
from tests.support.streaming import opened

pytestmark = pytest.mark.anyio
MINE = "/mine/events"


async def test_event_arrives_when_it_is_made(site: Any, feed: Feed) -> None:
    """The framework's StreamingResponse sends it with the next one."""
    async with opened(site, MINE, await start_session(await make_user())) as stream:
        assert await stream.status() == 200
        feed.queue.put_nowait(Event("news", {"text": "a\nevent: forged\r\n\u2028ü"}))

        assert await stream.events("news") == ["event: news", r'data: {"text": "a\nevent: forged\r\n\u2028\u00fc"}']


async def test_answer_is_no_page_to_keep_and_no_proxy_holds_it_back(site: Any) -> None:
    async with opened(site, MINE, await start_session(await make_user())) as stream:
        start = await stream.message()

    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")
    assert "content-length" not in headers
    assert {"content-security-policy", "x-request-id", "x-content-type-options"} <= headers.keys()


@pytest.mark.parametrize("path", ["/session/events", "/admin/events", MINE, "/mine/socket", "/mine/%65vents"])
async def test_nobody_is_sent_on_to_a_stream_after_a_sign_in(site: Any, path: str) -> None:
    """The browser would show a page that never ends loading, and hold one of the session's streams."""
    assert urls.local_path(path) == "/dashboard"


@pytest.mark.parametrize("name", ["a\nb", "a b", "", "a:b"])
def test_event_has_a_plain_name(name: str) -> None:
    with pytest.raises(ValueError, match="an event's name"):
        Event(name).encoded()


# v5.0.0-8.2.1
async def test_refusals_are_those_of_a_page(site: Any, logged: list[Any]) -> None:
    user = await make_user()
    ended = await start_session(user)
    await logout_flow.logout([(await token_of(ended))])
    user_pair = await start_session(user)

    for path, pair, status in [(MINE, None, 401), (MINE, ended, 401), ("/mine/admin/events", user_pair, 403)]:
        async with opened(site, path, pair) as stream:
            assert await stream.status() == status
            await stream.over()

    assert not [line for line in logged if line["log_level"] == "error"]
    assert open_streams.count() == 0


# v5.0.0-3.5.3
@pytest.mark.parametrize("fetched_from", ["same-site", "cross-site"])
async def test_page_of_another_site_gets_none(site: Any, fetched_from: str) -> None:
    """It could not read it, but use up what one account may have."""
    pair = await start_session(await make_user())
    async with opened(site, MINE, pair, headers={"Sec-Fetch-Site": fetched_from}) as stream:
        assert await stream.status() == 403


async def test_head_gets_the_headers_alone(site: Any) -> None:
    async with opened(site, MINE, await start_session(await make_user()), method="HEAD") as stream:
        assert await stream.status() == 200
        await stream.over()

    assert open_streams.count() == 0


async def token_of(pair: TokenPair) -> Any:
    return tokens.read(pair.access_token, "access", db.utcnow())


async def ends_session(person: Any, pair: Any) -> None:
    await logout_flow.logout([await token_of(pair)])


async def is_deactivated(person: Any, pair: Any) -> None:
    await user_admin.change(person.id, (await make_user(role="admin")).id, is_active=False)


async def has_sessions_ended(person: Any, pair: Any) -> None:
    await user_admin.end_sessions(person.id, (await make_user(role="admin")).id)


# v5.0.0-7.4.1, v5.0.0-7.4.2, v5.0.0-7.4.5
@pytest.mark.parametrize("end", [ends_session, is_deactivated, has_sessions_ended])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
async def test_end_of_the_session_ends_the_stream(
    site: Any, feed: Feed, monkeypatch: pytest.MonkeyPatch, end: Any, elsewhere: bool
) -> None:
    """`elsewhere`: in another worker, so this one learns of it from the feed."""
    person = await make_user()
    pair = await start_session(person)
    async with opened(site, MINE, pair) as stream:
        assert await stream.status() == 200
        await checked()
        if elsewhere:
            monkeypatch.setattr(session_cache, "_committed", lambda _: None)
        await end(person, pair)
        if elsewhere:
            await checked()
            assert open_streams.count() == 1
            await session_cache.read_invalidations()
        await checked()

        assert await stream.events() == ["event: session_ended", "data: null"]
        await stream.over()
    assert feed.closed.is_set()
    assert open_streams.count() == 0


async def test_stream_of_somebody_else_goes_on(site: Any, feed: Feed) -> None:
    person, other = await make_user(), await make_user()
    pair = await start_session(person)
    async with opened(site, MINE, pair) as ends, opened(site, MINE, await start_session(other)) as goes_on:
        assert (await ends.status(), await goes_on.status()) == (200, 200)
        await ends_session(person, pair)
        await checked()
        await ends.over()
        feed.queue.put_nowait(Event("news"))

        assert await goes_on.events("news") == ["event: news", "data: null"]


# v5.0.0-7.4.3
async def test_new_password_ends_the_streams_of_the_other_sessions(site: Any) -> None:
    person = await make_user()
    mine, other = await start_session(person), await start_session(person)
    async with opened(site, MINE, other) as stream:
        assert await stream.status() == 200
        await password_change.change_password(person.id, (await token_of(mine)).sid, PASSWORD, "a new horse in here")
        await checked()

        assert await stream.events() == ["event: session_ended", "data: null"]


# v5.0.0-8.3.2
async def test_demotion_ends_the_stream_of_an_admin(site: Any) -> None:
    person = await make_user(role="admin")
    async with opened(site, "/mine/admin/events", await start_session(person)) as stream:
        assert await stream.status() == 200
        await user_admin.change(person.id, (await make_user(role="admin")).id, role="user")
        await checked()

        assert await stream.events() == ["event: forbidden", "data: null"]


async def test_expiry_of_the_token_ends_the_stream(site: Any, clock: Clock) -> None:
    async with opened(site, MINE, await start_session(await make_user())) as stream:
        assert await stream.status() == 200
        clock.forward(seconds=get_settings().access_token_seconds - 1)
        await checked()
        assert open_streams.count() == 1
        clock.forward(seconds=1)
        await checked()

        assert await stream.events() == ["event: token_expired", "data: null"]


# v5.0.0-7.5.1
async def test_login_that_is_not_recent_any_more_ends_the_stream(site: Any, clock: Clock) -> None:
    async with opened(site, "/mine/recent/events", await start_session(await make_user())) as stream:
        assert await stream.status() == 200
        clock.forward(seconds=get_settings().step_up_seconds + 1)
        await checked()

        assert await stream.events() == ["event: forbidden", "data: null"]


async def test_worker_that_learns_of_no_changes_ends_all_streams(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail closed: a session may have ended elsewhere."""
    async with opened(site, MINE, await start_session(await make_user())) as stream:
        assert await stream.status() == 200
        monkeypatch.setattr(session_cache, "feed_is_fresh", lambda: False)
        await checked()

        assert await stream.events() == ["event: unavailable", "data: null"]


async def test_session_that_ends_while_the_stream_begins_is_not_missed(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the permission has looked, and before the stream is known to those who are told of changes."""
    person = await make_user()
    pair = await start_session(person)
    allowed = SignedIn.has_permission

    async def has_permission(self: SignedIn, request: Any, controller: Any) -> bool:
        await allowed(self, request, controller)
        await ends_session(person, pair)
        return True

    monkeypatch.setattr(SignedIn, "has_permission", has_permission)
    async with opened(site, MINE, pair) as stream:
        assert await stream.status() == 200
        assert await stream.events() == ["event: session_ended", "data: null"]


# v5.0.0-15.2.2
async def test_streams_of_a_session_of_an_account_and_of_a_worker_are_bounded(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_streams, "PER_SESSION", 1)
    monkeypatch.setattr(open_streams, "PER_ACCOUNT", 2)
    monkeypatch.setattr(get_settings(), "streams_per_worker", 3)
    person = await make_user()
    first, second, third = [await start_session(person) for _ in range(3)]
    async with opened(site, MINE, first) as one, opened(site, MINE, second) as two:
        assert (await one.status(), await two.status()) == (200, 200)
        for pair, status in [(first, 429), (third, 429), (await start_session(await make_user()), 200)]:
            async with opened(site, MINE, pair) as stream:
                assert await stream.status() == status
        async with opened(site, MINE, await start_session(await make_user())) as third_stream:
            assert await third_stream.status() == 200
            async with opened(site, MINE, await start_session(await make_user())) as fourth:
                assert await fourth.status() == 503
    assert open_streams.count() == 0


# v5.0.0-15.2.2
async def test_slow_reader_is_asked_for_nothing_more_and_then_cut_off(
    site: Any, feed: Feed, monkeypatch: pytest.MonkeyPatch, logged: list[Any]
) -> None:
    async with opened(site, MINE, await start_session(await make_user())) as stream:
        assert await stream.status() == 200
        await feed.begun.wait()
        monkeypatch.setattr(events, "SEND_SECONDS", 0.01)
        stream.reads.clear()
        for _ in range(100):
            feed.queue.put_nowait(Event("news"))
        await stream.over()

    assert feed.asked == 1
    assert [line["reason"] for line in logged if line["event"] == "stream_ended"] == ["too_slow"]


async def test_silent_stream_has_a_heartbeat(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "HEARTBEAT_SECONDS", 0.01)
    async with opened(site, MINE, await start_session(await make_user())) as stream:
        assert await stream.status() == 200
        assert {(await stream.message())["body"] for _ in range(5)} == {b":\n\n"}


async def test_server_that_stops_ends_the_stream(site: Any) -> None:
    async with opened(site, MINE, await start_session(await make_user())) as stream:
        assert await stream.status() == 200
        open_streams.finish_all(End.RESTART)

        assert await stream.events() == ["event: restart", "data: null"]


@pytest.mark.parametrize(
    ("error", "event"), [(RuntimeError("hunter2"), "failed"), (db.Unavailable("no"), "unavailable")]
)
async def test_source_that_fails_ends_the_stream_without_its_words(
    site: Any, feed: Feed, logged: list[Any], error: Exception, event: str
) -> None:
    async with opened(site, MINE, await start_session(await make_user())) as stream:
        assert await stream.status() == 200
        feed.queue.put_nowait(error)

        assert await stream.events() == [f"event: {event}", "data: null"]
    assert [line["event"] for line in logged if line["log_level"] == "error"] == ["stream_failed"][: event == "failed"]


async def test_client_that_leaves_frees_its_place_and_the_source(site: Any, feed: Feed) -> None:
    async with opened(site, MINE, await start_session(await make_user())) as stream:
        assert await stream.status() == 200
        await feed.begun.wait()

    assert feed.closed.is_set()
    assert open_streams.count() == 0


async def test_program_with_a_bearer_token_gets_one_too(site: Any) -> None:
    pair = await start_session(await make_user())
    async with opened(site, MINE, headers=bearer(pair) | {"Sec-Fetch-Site": ""}) as stream:
        assert await stream.status() == 200


async def test_line_in_the_log_is_written_when_the_stream_begins(site: Any, logged: list[Any]) -> None:
    async with opened(site, MINE, await start_session(await make_user())) as stream:
        assert await stream.status() == 200
        await stream.message()
        (line,) = [line for line in logged if line["event"] == "request"]

    assert (line["path"], line["status"]) == (MINE, 200)
    assert [line["event"] for line in logged].count("request") == 1
    assert [line["reason"] for line in logged if line["event"] == "stream_ended"] == ["gone"]


async def test_user_of_the_stream_is_the_one_of_the_rows(site: Any) -> None:
    person = await make_user()
    async with opened(site, MINE, await start_session(person)) as stream:
        assert await stream.status() == 200
        await db.execute(sa.update(user_rows).where(user_rows.c.id == person.id).values(name="Another Name"))
        open_streams._changed({person.id})
        await checked()

        assert [each.user.name for each in open_streams._open] == ["Another Name"]
