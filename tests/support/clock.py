"""A clock that stands still until a test moves it: no test sleeps."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app import db


class Clock:
    """Replaces both clocks of this process: the worker's (`db.utcnow`) and the database's (`db.now`)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now: datetime = db.utcnow().replace(microsecond=0)
        self.skew = timedelta(0)
        now_type: Any = db.now().type
        monkeypatch.setattr(db, "utcnow", lambda: self.now + self.skew)
        monkeypatch.setattr(db, "now", lambda: sa.literal(self.now, type_=now_type))

    def forward(self, **time: float) -> datetime:
        """Both clocks, by `timedelta`'s arguments: `clock.forward(minutes=16)`."""
        self.now += timedelta(**time)
        return self.now

    def set_worker_apart(self, **time: float) -> None:
        """This worker's clock runs ahead of (or, negative, behind) the database's by so much."""
        self.skew = timedelta(**time)
