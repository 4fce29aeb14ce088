"""Conditions of a request: checked again inside each of its transactions, such as "this session is live".

The database knows neither requests nor people. Who lets a request in says what has to hold (`auth.permissions`), and
from then on every transaction of that request asks for it; so does each read once the answer has begun, as in a
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
    """`decide` gets the row of `asked` (or None) and raises unless the request may go on.

    `of`: the session that it is about. `locked` is the same query with a lock on its row; `first` locks what has to be
    locked before that. `values` are the parameters of all three.
    """

    of: UUID
    asked: Any
    first: Any
    locked: Any
    values: dict[str, Any]
    decide: Callable[[Any], None]
    settled: bool = field(default=False, init=False)  # the request itself ended the session: the rest is its own doing

    def ask(self, connection: sa.Connection) -> None:
        """Does it hold? Raises what `decide` raises."""
        if not self.settled:
            self.decide(connection.execute(self.asked, self.values).first())

    def keep(self, connection: sa.Connection) -> None:
        """As `ask`, and from here until the transaction is over nobody can change it."""
        if connection.dialect.name == "sqlite":
            self.ask(connection)  # nobody else has written since BEGIN IMMEDIATE, or will
        elif not self.settled:
            connection.execute(self.first, self.values)
            self.decide(connection.execute(self.locked, self.values).first())

    def settle(self) -> None:
        self.settled = True


@dataclass(slots=True)
class _Request:
    condition: Condition | None = None
    answering: bool = False


_request: ContextVar[_Request | None] = ContextVar("request that writes", default=None)


@contextmanager
def request() -> Iterator[_Request]:
    """Around a request that may write; the caller sets `answering` when the answer begins."""
    token = _request.set(made := _Request())
    try:
        yield made
    finally:
        _request.reset(token)


def require(condition: Condition) -> None:
    """From now on the request being answered writes only while this holds.

    Errors: RuntimeError outside of `request`: fail closed.
    """
    current = _request.get()
    if current is None:
        raise RuntimeError("a request that may write stands inside db.conditions.request()")
    current.condition = condition


def of_writes() -> Condition | None:
    """What has to hold for the next write; None nearly always."""
    current = _request.get()
    return current.condition if current else None


def of_reads() -> Condition | None:
    """What has to hold for the next read: nothing before the answer has begun, for that is when the guard asked."""
    current = _request.get()
    return current.condition if current and current.answering else None
