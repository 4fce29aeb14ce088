"""A request that may change something goes on when its last byte is there; every other one at once."""

from typing import Any

import pytest
from ravyn.requests import ClientDisconnect

from app import db
from app.web.bodies import Whole

pytestmark = pytest.mark.anyio


def part(body: bytes, more: bool) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


async def through(method: str, *messages: dict[str, Any], kind: str = "http") -> list[Any]:
    """What stands behind it sees, in the order in which things happen: the messages as they come, and what it reads."""
    happened: list[Any] = []
    waiting = list(messages)

    async def receive() -> Any:
        happened.append("comes")
        return waiting.pop(0)

    async def send(_: Any) -> None:
        return

    async def inside(_scope: Any, receive: Any, _send: Any) -> None:
        happened.append("begins")
        while waiting or method not in ("GET", "HEAD"):
            happened.append(await receive())
            if happened[-1]["type"] == "http.disconnect":
                return

    await Whole(inside)({"type": kind, "method": method}, receive, send)
    return happened


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "FOO"])
async def test_whatever_may_change_something_begins_when_all_of_it_is_there(method: str) -> None:
    gone = {"type": "http.disconnect"}

    happened = await through(method, part(b"who", True), part(b"", True), part(b"le", False), gone)

    assert happened == ["comes"] * 3 + ["begins", part(b"whole", False), "comes", gone]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_what_changes_nothing_waits_for_nothing(method: str) -> None:
    assert (await through(method, part(b"x", False)))[0] == "begins"


async def test_nothing_begins_for_somebody_who_has_gone() -> None:
    with pytest.raises(ClientDisconnect):
        await through("POST", part(b"half", True), {"type": "http.disconnect"})


async def test_condition_of_one_request_is_not_left_to_the_next() -> None:
    async def inside(*_: Any) -> None:
        db.conditions.require(db.conditions.Condition(db.uuid7(), None, None, None, {}, decide=print))
        assert db.conditions.for_writes()
        assert db.conditions.for_reads() is None

    async def receive() -> Any:
        return part(b"", False)

    await Whole(inside)({"type": "http", "method": "POST"}, receive, receive)

    assert db.conditions.for_writes() is None


async def test_reads_have_a_condition_from_the_first_word_of_the_answer_on() -> None:
    async def inside(_scope: Any, _receive: Any, send: Any) -> None:
        db.conditions.require(db.conditions.Condition(db.uuid7(), None, None, None, {}, decide=print))
        await send({"type": "http.response.start"})
        assert db.conditions.for_reads()

    async def receive() -> Any:
        return part(b"", False)

    async def send(_: Any) -> None:
        return

    await Whole(inside)({"type": "http", "method": "POST"}, receive, send)
