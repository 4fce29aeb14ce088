"""The table of verdicts, row by row."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from app.auth.sessions.rotation_policy import Decision, decide

NOW = datetime(2030, 1, 1, tzinfo=UTC)
IDLE = timedelta(days=7)
V = Decision


@dataclass
class Row:
    generation: int = 5
    confirmed: int = 5
    handed_at: datetime = NOW - timedelta(minutes=10)
    ends_at: datetime = NOW + timedelta(days=20)
    revoked_at: datetime | None = None


def handed(seconds: float, confirmed: int = 5) -> Row:
    return Row(confirmed=confirmed, handed_at=NOW - timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("row", "active", "g", "asked", "decision"),
    [
        # The session is over: nothing else is looked at.
        (None, True, 5, False, V.ENDED),
        (Row(), False, 5, False, V.ENDED),
        (Row(revoked_at=NOW), True, 5, False, V.ENDED),
        (Row(revoked_at=NOW, handed_at=NOW), True, 4, False, V.ENDED),
        (Row(revoked_at=NOW), True, 1, False, V.ENDED),
        (Row(revoked_at=NOW), True, 9, False, V.ENDED),
        (Row(ends_at=NOW), True, 5, False, V.ENDED),
        (Row(ends_at=NOW + timedelta(seconds=1)), True, 5, False, V.ROTATE),
        (Row(handed_at=NOW - IDLE), True, 5, False, V.ENDED),
        (Row(handed_at=NOW - IDLE + timedelta(seconds=1)), True, 5, False, V.ROTATE),
        # A generation that was never handed out.
        (Row(), True, 6, False, V.INVALID),
        (Row(), True, 6, True, V.INVALID),
        # The current one.
        (Row(), True, 5, False, V.ROTATE),
        (Row(), True, 5, True, V.ROTATE),
        (Row(confirmed=4), True, 5, False, V.ROTATE),
        (handed(0), True, 5, False, V.ROTATE),
        # The one before, and the answer with its successor never arrived: no time limit.
        (handed(0, confirmed=4), True, 4, False, V.REPLAY),
        (handed(3600 * 24 * 6, confirmed=4), True, 4, False, V.REPLAY),
        (handed(3600 * 24 * 6, confirmed=3), True, 4, True, V.REPLAY),
        # The one before, its successor in use: 30 s for two tabs, 300 s to ask again once.
        (handed(0), True, 4, False, V.REPLAY),
        (handed(30), True, 4, False, V.REPLAY),
        (handed(30), True, 4, True, V.REPLAY),
        (handed(30.001), True, 4, False, V.RETRY),
        (handed(300), True, 4, False, V.RETRY),
        (handed(300), True, 4, True, V.REUSE),
        (handed(300.001), True, 4, False, V.REUSE),
        # A clock set back: two minutes are nothing, more means ask.
        (handed(-120), True, 4, False, V.REPLAY),
        (handed(-121), True, 4, False, V.RETRY),
        (handed(-3600), True, 4, True, V.REUSE),
        # Older ones, at any time, confirmed or not.
        (handed(0), True, 3, False, V.REUSE),
        (handed(0, confirmed=3), True, 3, False, V.REUSE),
        (handed(0), True, 1, True, V.REUSE),
        (Row(), True, 0, False, V.REUSE),
    ],
)
def test_decision(row: Row | None, active: bool, g: int, asked: bool, decision: Decision) -> None:
    assert decide(row, active, g, asked, NOW, IDLE, proven=True) is decision
