"""What happened to an account, told once: several rows of the audit log may stand for one thing that a person did.

Pure, over rows of `queries.of_user`. The whole log stays on the page of the security activity.
"""

from collections.abc import Sequence
from typing import Any

from app.audit import events

READ = 30  # rows that are read to show a few
# What another event of the same request brings along. "Signed in on a new device" says that somebody signed in.
SIDE_EFFECTS = {
    events.SESSION_REVOKED,
    events.SESSION_BOUND,
    events.PASSWORD_REHASHED,
    events.SECOND_FACTOR_REQUESTED,
}
SAYS_THE_SAME = {events.LOGIN: events.NEW_DEVICE}


def grouped(rows: Sequence[Any], limit: int) -> list[dict[str, Any]]:
    """One entry for one thing that happened, newest first: as `events.described`, with `times` and `ended`.

    `times`: how often it happened in a row, from one device at one address. `ended`: how many sessions ended with it.
    """
    found: list[dict[str, Any]] = []
    for request in _requests(rows):
        kinds = {row.event for row in request}
        for row in request:
            aside = row.event in SIDE_EFFECTS and kinds - SIDE_EFFECTS
            if aside or SAYS_THE_SAME.get(row.event) in kinds:
                continue
            ended = 0 if row.event == events.SESSION_REVOKED else _ended(request)
            entry = {**events.described(row), "times": 1, "ended": ended}
            if found and _alike(found[-1], entry):
                found[-1]["times"] += 1
            else:
                found.append(entry)
    return found[:limit]


def _requests(rows: Sequence[Any]) -> list[list[Any]]:
    """The rows of each request, in order; a row without a request stands alone."""
    together: dict[Any, list[Any]] = {}
    for row in rows:
        together.setdefault(row.request_id or row.id, []).append(row)
    return list(together.values())


def _ended(request: list[Any]) -> int:
    """Sessions that ended by something else than signing out: a password change, a stolen token."""
    reasons = (events.REUSED, events.CREDENTIALS_CHANGED, events.ENDED_BY_OWNER)
    return sum(row.event == events.SESSION_REVOKED and row.detail in reasons for row in request)


def _alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one[name] == other[name] for name in ("kind", "ip", "device", "because", "by_admin", "ended"))
