"""Conditions of a request, such as "this session is live", checked again inside each of its transactions.

`app.db` knows neither requests nor users. The permission that admits a request sets its condition (`auth.permissions`).
From then on, every transaction of the request checks it, and so does every read after the response has begun, as in a
download.
Chapter: "Permissions". Source: CWE-367; v5.0.0-15.4.2 (the check and the act must not stand apart).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa


@dataclass(slots=True)
class Condition:
    """`decide` gets the row of `query` (or None) and raises if the request must not continue.

    `of`: the session that the condition is about. `lock_first` locks the row that must be locked before the session's;
    `locking_query` is `query` with a lock on its row. `values`: the parameters of all three.
    """

    of: UUID
    query: Any
    lock_first: Any
    locking_query: Any
    values: dict[str, Any]
    decide: Callable[[Any], None]
    stopped: bool = field(default=False, init=False)  # True once the request itself has ended the session

    def check(self, connection: sa.Connection) -> None:
        """Raises what `decide` raises."""
        if not self.stopped:
            self.decide(connection.execute(self.query, self.values).first())

    def check_and_lock(self, connection: sa.Connection) -> None:
        """As `check`, and lock the rows, so no other transaction changes them before this one ends."""
        if connection.dialect.name == "sqlite":
            self.check(connection)  # since BEGIN IMMEDIATE, no other connection can write
        elif not self.stopped:
            connection.execute(self.lock_first, self.values)
            self.decide(connection.execute(self.locking_query, self.values).first())

    def stop_checking(self) -> None:
        """Stop checking: the request itself has ended the session."""
        self.stopped = True


@dataclass(slots=True)
class _Request:
    condition: Condition | None = None
    answering: bool = False


_request: ContextVar[_Request | None] = ContextVar("request that writes", default=None)


@contextmanager
def request() -> Iterator[_Request]:
    """Context of a request that may write; the caller sets `answering` when the response begins."""
    token = _request.set(made := _Request())
    try:
        yield made
    finally:
        _request.reset(token)


def require(condition: Condition) -> None:
    """Set the condition of the current request. Errors: RuntimeError outside of `request`: fails closed."""
    current = _request.get()
    if current is None:
        raise RuntimeError("a request that may write must run inside db.conditions.request()")
    current.condition = condition


def for_writes() -> Condition | None:
    """The condition for the next write; None if the request has none."""
    current = _request.get()
    return current.condition if current else None


def for_reads() -> Condition | None:
    """The condition for the next read; None until the response begins, because the permission has just checked it."""
    current = _request.get()
    return current.condition if current and current.answering else None
