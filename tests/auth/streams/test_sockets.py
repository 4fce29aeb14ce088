"""WebSockets: the handshake needs the permission and our origin, and so does the open connection."""

from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.audit import events
from app.audit.models import event_rows
from app.auth.accounts import user_admin
from app.auth.sessions import session_cache
from app.auth.streams import open_streams, sockets
from app.auth.streams.open_streams import End
from app.settings import get_settings
from tests.auth.streams.conftest import checked
from tests.auth.streams.test_events import ends_session
from tests.support.clock import Clock
from tests.support.people import make_user, start_session
from tests.support.streaming import Connection, opened

pytestmark = pytest.mark.anyio
SOCKET = "/mine/socket"


async def text_of(socket: Connection) -> str:
    return str((await socket.message())["text"])


async def closed_with(socket: Connection) -> tuple[int, str]:
    message = await socket.message()
    assert message["type"] == "websocket.close"
    await socket.over()
    return message["code"], message["reason"]


async def test_message_is_answered(site: Any) -> None:
    person = await make_user(name="Ann")
    async with opened(site, SOCKET, await start_session(person), kind="websocket") as socket:
        assert await socket.status() == 101
        await socket.says("one")
        await socket.says("two")

        assert [await text_of(socket) for _ in range(3)] == ["hello Ann", "one", "two"]
        await socket.says("bye")
        assert await closed_with(socket) == (1000, "done")


async def test_client_that_leaves_frees_its_place_after_its_last_message(site: Any, logged: list[Any]) -> None:
    async with opened(site, SOCKET, await start_session(await make_user()), kind="websocket") as socket:
        assert await socket.status() == 101
        await socket.says("last")

    assert [socket.sent.get_nowait()["text"] for _ in range(2)][1] == "last"
    assert socket.sent.empty(), "nothing is sent to a client that has left"
    assert open_streams.count() == 0
    assert not [line for line in logged if line["log_level"] == "error"]


# v5.0.0-4.4.2, v5.0.0-8.2.1, v5.0.0-16.3.2
async def test_handshake_is_refused_with_the_status_of_a_page_and_logged_as_a_refusal(
    site: Any, logged: list[Any]
) -> None:
    person = await make_user()
    ended = await start_session(person)
    await ends_session(person, ended)
    live = await start_session(person)
    for path, pair, status in [(SOCKET, None, 401), (SOCKET, ended, 401), ("/mine/admin/socket", live, 403)]:
        async with opened(site, path, pair, kind="websocket") as socket:
            start = await socket.message()
            await socket.over()

        assert (start["type"], start["status"]) == ("websocket.http.response.start", status)
        names = [name for name, _ in start["headers"]]
        assert names.count(b"content-security-policy") == names.count(b"x-request-id") == 1
        assert (b"www-authenticate" in names) is (status == 401)
    assert [line["status"] for line in logged if line["event"] == "request"] == [401, 401, 403]
    assert [line["log_level"] for line in logged if line["event"] == "socket_refused"] == ["info"] * 3
    assert not [line for line in logged if line["log_level"] == "error"]
    denied = sa.select(sa.func.count()).where(event_rows.c.event == events.ACCESS_DENIED)
    assert await db.fetch_value(denied) == 1


# v5.0.0-4.4.2
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": ""},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "", "Sec-Fetch-Site": ""},
        {"Origin": "null", "Sec-Fetch-Site": ""},
    ],
)
async def test_handshake_of_another_site_is_refused_with_live_cookies(site: Any, headers: dict[str, str]) -> None:
    pair = await start_session(await make_user())
    async with opened(site, SOCKET, pair, headers=headers, kind="websocket") as socket:
        assert (await socket.message())["type"] == "websocket.close"
        await socket.over()


async def test_server_that_cannot_refuse_with_a_status_closes_before_it_accepts(site: Any) -> None:
    async with opened(site, SOCKET, kind="websocket", extensions=False) as socket:
        message = await socket.message()

    assert (message["type"], message["code"]) == ("websocket.close", 1008)


# v5.0.0-7.4.1, v5.0.0-7.4.2
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
async def test_end_of_the_session_closes_it(site: Any, monkeypatch: pytest.MonkeyPatch, elsewhere: bool) -> None:
    person = await make_user()
    pair = await start_session(person)
    async with opened(site, SOCKET, pair, kind="websocket") as socket:
        assert (await socket.status(), await text_of(socket)) == (101, f"hello {person.name}")
        if elsewhere:
            monkeypatch.setattr(session_cache, "_committed", lambda _: None)
        await ends_session(person, pair)
        await session_cache.read_invalidations()
        await checked()

        assert await closed_with(socket) == (4401, "session_ended")


# v5.0.0-8.3.2
async def test_demotion_closes_the_one_of_an_admin(site: Any) -> None:
    person = await make_user(role="admin")
    async with opened(site, "/mine/admin/socket", await start_session(person), kind="websocket") as socket:
        assert (await socket.status(), await text_of(socket)) == (101, f"hello {person.name}")
        await user_admin.change(person.id, (await make_user(role="admin")).id, role="user")
        await checked()

        assert await closed_with(socket) == (4403, "forbidden")


async def test_expiry_of_the_token_closes_it(site: Any, clock: Clock) -> None:
    async with opened(site, SOCKET, await start_session(await make_user()), kind="websocket") as socket:
        assert await socket.status() == 101
        await text_of(socket)
        clock.forward(seconds=get_settings().access_token_seconds)
        await checked()

        assert await closed_with(socket) == (4401, "token_expired")


async def test_handler_that_fails_closes_it_without_its_words(site: Any, logged: list[Any]) -> None:
    async with opened(site, SOCKET, await start_session(await make_user()), kind="websocket") as socket:
        assert await socket.status() == 101
        await text_of(socket)
        await socket.says("fail")

        assert await closed_with(socket) == (1011, "failed")
    assert [line["event"] for line in logged if line["log_level"] == "error"] == ["stream_failed"]


async def test_binary_message_closes_it(site: Any) -> None:
    async with opened(site, SOCKET, await start_session(await make_user()), kind="websocket") as socket:
        assert await socket.status() == 101
        await text_of(socket)
        socket.incoming.put_nowait({"type": "websocket.receive", "bytes": b"\0"})

        assert await closed_with(socket) == (1003, "not_text")


# v5.0.0-15.2.2
async def test_slow_reader_is_cut_off(site: Any, monkeypatch: pytest.MonkeyPatch, logged: list[Any]) -> None:
    async with opened(site, SOCKET, await start_session(await make_user()), kind="websocket") as socket:
        assert await socket.status() == 101
        await text_of(socket)
        monkeypatch.setattr(sockets, "SEND_SECONDS", 0.01)
        socket.reads.clear()
        await socket.says("one")
        await socket.over()

    assert [line["reason"] for line in logged if line["event"] == "stream_ended"] == ["too_slow"]


async def test_server_that_stops_closes_it(site: Any) -> None:
    async with opened(site, SOCKET, await start_session(await make_user()), kind="websocket") as socket:
        assert await socket.status() == 101
        await text_of(socket)
        open_streams.finish_all(End.RESTART)

        assert await closed_with(socket) == (1012, "restart")


async def test_sockets_count_with_the_event_streams(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_streams, "PER_SESSION", 1)
    pair = await start_session(await make_user())
    async with opened(site, "/mine/events", pair) as stream:
        assert await stream.status() == 200
        async with opened(site, SOCKET, pair, kind="websocket") as socket:
            assert await socket.status() == 429
