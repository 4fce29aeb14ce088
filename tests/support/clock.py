"""A clock that stands still until a test moves it: no test sleeps."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app import db

_ASKED = {dialect.name: str(db.now().compile(dialect=dialect)) for dialect in (sqlite.dialect(), postgresql.dialect())}
_TOLD = {"sqlite": "'{:%Y-%m-%d %H:%M:%S.%f}'", "postgresql": "TIMESTAMPTZ '{}'"}


class Clock:
    """Replaces both clocks of this process: the worker's (`db.utcnow`) and the database's (`db.now()`)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now: datetime = db.utcnow().replace(microsecond=0)
        self.skew = timedelta(0)
        monkeypatch.setattr(db, "utcnow", lambda: self.now + self.skew)

    def forward(self, **time: float) -> datetime:
        """Both clocks, by `timedelta`'s arguments: `clock.forward(minutes=16)`."""
        self.now += timedelta(**time)
        return self.now

    def set_worker_apart(self, **time: float) -> None:
        """This worker's clock runs ahead of (or, negative, behind) the database's by so much."""
        self.skew = timedelta(**time)

    @contextmanager
    def over_the_database(self) -> Iterator[None]:
        """Every query for the database's time, prepared statements included, returns this clock's."""
        sa.event.listen(sa.Engine, "before_cursor_execute", self._tell, retval=True)
        yield
        sa.event.remove(sa.Engine, "before_cursor_execute", self._tell)

    def _tell(self, connection: Any, _: Any, statement: str, parameters: Any, *__: Any) -> tuple[str, Any]:
        name = connection.dialect.name
        return statement.replace(_ASKED[name], _TOLD[name].format(self.now.astimezone(UTC))), parameters
