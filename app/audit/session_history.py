"""Session history as a picture: which token generation was issued when, to whom, and what came back.

Pure: events in, coordinates out; `templates/_session_history.html` draws them, a lane for each device, time downwards.
Long runs of plain renewals are drawn as one mark, so the picture stays small however long a session lives.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from app.audit import events
from app.web import client

STARTED, RUN, LOST = "started", "run", "lost"
# Kind -> what stands beside its mark; at most 16 characters.
WORDS = {
    STARTED: "signed in",
    RUN: "renewals",
    LOST: "response lost",
    events.SESSION_ROTATED: "renewed",
    events.SESSION_REPLAYED: "same pair again",
    events.SESSION_RETRY_REQUESTED: "told to retry",
    events.SESSION_REUSED: "old token reused",
    events.REFRESH_FROM_THE_FUTURE: "never issued",
    events.SESSION_REVOKED: "session ended",
}
ENDED = {
    events.LOGGED_OUT: "signed out",
    events.REPLACED: "replaced",
    events.REUSED: "ended for both",
    events.DEACTIVATED: "deactivated",
    events.ENDED_BY_ADMIN: "ended by admin",
    events.ENDED_BY_OWNER: "ended by owner",
    events.CREDENTIALS_CHANGED: "new credentials",
    events.ACCOUNT_DELETION: "deletion",
}
ISSUED = (STARTED, RUN, LOST, events.SESSION_ROTATED, events.SESSION_REPLAYED)

LANES, NAME = 3, 19  # how many columns, and characters of a heading
SHOWN_OF_A_RUN = 3  # plain renewals that stay at both ends of a run
LEFT, TOP, LANE, ONE_LANE = 74, 52, 162, 216  # one lane fits a phone of 360 pixels
ROW, DAY, NODE, CHANNEL = 54, 30, 32, 27


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One event of a session. `generation`: of the issued pair, or of the presented token."""

    kind: str
    at: datetime
    generation: int
    where: str = ""
    ip: str = ""
    words: str = ""
    count: int = 1  # renewals, in a run


@dataclass(frozen=True, slots=True)
class Mark:
    """An entry with the centre of its mark in the picture."""

    entry: HistoryEntry
    x: int
    y: int
    lane: int
    current: bool = False

    @property
    def kind(self) -> str:
        return self.entry.kind

    @property
    def label(self) -> str:
        entry = self.entry
        if entry.kind == RUN:
            return f"{entry.count} {WORDS[RUN] if entry.count > 1 else 'renewal'}"
        return entry.words or WORDS[entry.kind]

    @property
    def clock(self) -> str:
        return f"{self.entry.at.astimezone(UTC):%H:%M:%S}"


@dataclass(frozen=True, slots=True)
class Edge:
    """A line from a pair to its successor. `kind` is that of the later end."""

    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class Lane:
    name: str
    full_name: str
    x: int


@dataclass(frozen=True, slots=True)
class Picture:
    width: int
    height: int
    lanes: list[Lane]
    days: list[tuple[int, str]]  # y, and the date in UTC
    marks: list[Mark]
    edges: list[Edge]
    story: str  # one sentence as text alternative


def of_session(session: Any, rows: Iterable[Any]) -> list[HistoryEntry]:
    """The history of a session, from its row and its rows of the audit log, oldest first.

    The session's row stores only the last device, so the login is shown at the device of the first refresh.
    Refreshes before the first row, which `queries.of_session` has cut off, become one entry.
    """
    found = [_of_row(row) for row in rows if row.event in WORDS]
    found.sort(
        key=lambda one: one.kind == events.SESSION_REVOKED
    )  # after a reuse the session is ended first and reported second
    first = next((one for one in found if one.kind == events.SESSION_ROTATED), None)
    where, ip = (first.where, first.ip) if first else (client.device(session.user_agent), session.ip)
    unseen = first.generation - 2 if first else 0
    earlier = [HistoryEntry(RUN, first.at, unseen + 1, where, ip, count=unseen)] if first and unseen > 0 else []
    return [HistoryEntry(STARTED, session.created_at, 1, where, ip), *earlier, *found]


def picture(entries: Sequence[HistoryEntry], lanes: Sequence[str] = (), *, alive: bool = True) -> Picture:
    """The layout. `lanes`: names of the first columns; further devices get columns in order, three in all."""
    shown = _shortened(entries)
    names = _lane_names(shown, lanes)
    wide = ONE_LANE if len(names) == 1 else LANE
    columns = [Lane(_cut(name), name, LEFT + wide * number + NODE) for number, name in enumerate(names)]
    newest = max((one.generation for one in shown if one.kind in ISSUED), default=0)
    marks: list[Mark] = []
    days: list[tuple[int, str]] = []
    y, day = TOP, ""
    for one in shown:
        written = _day(one.at)
        if written != day:
            days.append((y + DAY // 2 + 4, written))
            y, day = y + DAY, written
        lane = min(names.index(one.where) if one.where in names else len(names) - 1, len(names) - 1)
        current = alive and one.kind in ISSUED and one.generation == newest
        marks.append(Mark(one, columns[lane].x, y + ROW // 2, lane, current))
        y += ROW
    edges = [edge for number, mark in enumerate(marks) if (edge := _edge(marks[:number], mark))]
    return Picture(LEFT + wide * len(names), y + 8, columns, days, marks, edges, _story(entries, alive))


def _of_row(row: Any) -> HistoryEntry:
    numbers = re.findall(r"\d+", row.detail) if row.event != events.SESSION_REVOKED else []
    generation = int(numbers[0]) if numbers else 0
    return HistoryEntry(row.event, row.at, generation, client.device(row.user_agent), row.ip, ENDED.get(row.detail, ""))


def _shortened(entries: Sequence[HistoryEntry]) -> list[HistoryEntry]:
    """Merge long runs of refreshes of one device into one mark; those next to another event stay."""
    shown: list[HistoryEntry] = []
    for (kind, _), group in groupby(entries, key=lambda one: (one.kind, one.where)):
        run = list(group)
        if kind != events.SESSION_ROTATED or len(run) <= 2 * SHOWN_OF_A_RUN + 1:
            shown += run
        else:
            middle = run[SHOWN_OF_A_RUN:-SHOWN_OF_A_RUN]
            shown += [*run[:SHOWN_OF_A_RUN], replace(middle[-1], kind=RUN, count=len(middle)), *run[-SHOWN_OF_A_RUN:]]
    return shown


def _lane_names(shown: Sequence[HistoryEntry], fixed: Sequence[str]) -> list[str]:
    names = [*fixed, *(one.where for one in shown if one.kind != events.SESSION_REVOKED)]
    return list(dict.fromkeys(names))[:LANES] or [""]


def _edge(before: Sequence[Mark], mark: Mark) -> Edge | None:
    """The line from the presented pair: the predecessor of the issued pair, or the copied one."""
    one = mark.entry
    if one.kind in (STARTED, events.SESSION_REVOKED, events.REFRESH_FROM_THE_FUTURE):
        return None
    presented = one.generation - one.count if one.kind in ISSUED else one.generation
    pairs = [other for other in before if other.kind in ISSUED and other.entry.generation <= presented]
    if not pairs:
        return None
    start = max(pairs, key=lambda other: (other.entry.generation, other.lane == mark.lane, other.y))
    between = [other for other in before if start.y < other.y and other.lane == mark.lane]
    half = NODE // 2
    if start.lane == mark.lane and not between:
        return Edge(one.kind, f"M{start.x} {start.y + half}V{mark.y - half}")
    # Around the other marks: down into the gap below the pair, along it, down beside the lane, and in from the left.
    rail, gap = mark.x - CHANNEL, start.y + half + 9
    turn = 8 if rail > start.x else -8
    out = f"M{start.x} {start.y + half}V{gap - 4}Q{start.x} {gap} {start.x + turn // 2} {gap}"
    down = f"H{rail - turn}Q{rail} {gap} {rail} {gap + 8}V{mark.y - 8}"
    return Edge(one.kind, f"{out}{down}Q{rail} {mark.y} {rail + 8} {mark.y}H{mark.x - half}")


def _story(entries: Sequence[HistoryEntry], alive: bool) -> str:
    def many(kinds: tuple[str, ...], what: str) -> str:
        number = sum(one.count for one in entries if one.kind in kinds)
        return f", {what} {'once' if number == 1 else f'{number} times'}" if number else ""

    said = (
        many((events.SESSION_ROTATED, RUN), "renewed")
        + many((LOST,), "renewed without receiving the response")
        + many((events.SESSION_REPLAYED,), "issued again")
        + many((events.SESSION_RETRY_REQUESTED,), "told to retry")
        + many((events.SESSION_REUSED,), "old token reused")
    )
    return f"Signed in{said or ', not renewed yet'}; the session {'is alive' if alive else 'has ended'}."


def _day(at: datetime) -> str:
    at = at.astimezone(UTC)
    return f"{at.day} {at:%B %Y}"


def _cut(name: str) -> str:
    return name if len(name) <= NAME else f"{name[: NAME - 1]}…"
