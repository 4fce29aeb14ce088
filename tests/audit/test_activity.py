"""One row for one thing that happened. Pure, over rows as the audit log has them."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from app.audit import activity, events

AT = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def row(event: str, request: str = "", detail: str = "", ip: str = "192.0.2.7") -> Any:
    about = {"user_id": None, "actor_id": None, "session_id": None, "user_agent": "", "at": AT}
    return SimpleNamespace(**about, id=uuid4(), event=event, request_id=request, detail=detail, ip=ip)


def told(*rows: Any) -> list[tuple[str, int, int]]:
    return [(each["kind"], each["times"], each["ended"]) for each in activity.grouped(rows, 10)]


def test_new_device_is_one_row() -> None:
    assert told(row(events.NEW_DEVICE, "a"), row(events.LOGIN, "a")) == [(events.NEW_DEVICE, 1, 0)]


def test_theft_is_one_row() -> None:
    rows = row(events.SESSION_REUSED, "a"), row(events.SESSION_REVOKED, "a", events.REUSED)

    assert told(*rows) == [(events.SESSION_REUSED, 1, 1)]


def test_new_password_says_how_many_sessions_ended() -> None:
    ended = [row(events.SESSION_REVOKED, "a", events.CREDENTIALS_CHANGED) for _ in range(3)]

    assert told(row(events.PASSWORD_CHANGED, "a"), *ended) == [(events.PASSWORD_CHANGED, 1, 3)]


def test_session_that_alone_ended_is_told() -> None:
    assert told(row(events.SESSION_REVOKED, "a", events.ENDED_BY_ADMIN)) == [(events.SESSION_REVOKED, 1, 0)]


def test_the_same_again_and_again_is_one_row_with_a_number() -> None:
    refused = [row(events.ACCESS_DENIED, name) for name in "abcdef"]

    assert told(*refused, row(events.LOGIN, "g")) == [(events.ACCESS_DENIED, 6, 0), (events.LOGIN, 1, 0)]


def test_another_address_is_another_row() -> None:
    rows = row(events.LOGIN_FAILED, "a"), row(events.LOGIN_FAILED, "b", ip="198.51.100.9")

    assert told(*rows) == [(events.LOGIN_FAILED, 1, 0), (events.LOGIN_FAILED, 1, 0)]


def test_rows_without_a_request_stand_alone() -> None:
    assert told(row(events.NEW_DEVICE), row(events.LOGIN)) == [(events.NEW_DEVICE, 1, 0), (events.LOGIN, 1, 0)]


def test_no_more_than_asked_for() -> None:
    rows = [row(events.LOGIN, name, ip=f"192.0.2.{number}") for number, name in enumerate("abc")]

    assert len(activity.grouped(rows, 2)) == 2
