"""The time machine: a simulation of two tabs, an attacker and an unreliable network, with the real `rotation_policy`.

A simulation is a list of moves, which is replayed from the start for each request. The page's address contains the
list, so that a simulation can be shared as a link and the server stores nothing. The server's decisions are `decide`
and `issued`, as in `rotation.rotate`; the rest simulates browsers, the attacker and the network. No real clock is read.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from app.audit import events, session_history
from app.audit.session_history import HistoryEntry
from app.auth.sessions.rotation_policy import Decision, decide, issued

START = datetime(2030, 1, 7, 9, 0, tzinfo=UTC)
ACCESS, IDLE, LONGEST = timedelta(minutes=15), timedelta(days=7), timedelta(days=30)
MOST_MOVES = 40
WAITS = (1, 60 * 60 * 24 * 8)  # shortest and longest wait in seconds
ONE, TWO, ATTACKER = "Tab 1", "Tab 2", "Attacker"

# Character -> what happens. `w` and a number waits for so many seconds.
MOVES = {
    "1": "tab 1 opens a page",
    "2": "tab 2 opens a page",
    "b": "both tabs open a page at the same time",
    "x": "the response to the next refresh gets lost",
    "h": "tab 2 sends a request, which the network delays",
    "d": "the delayed request arrives",
    "c": "the attacker copies the cookies",
    "t": "the attacker opens a page",
}


@dataclass
class Row:
    """The session's row: the columns that `rotation_policy` reads."""

    generation: int = 1
    confirmed: int = 1
    handed_at: datetime = START
    ends_at: datetime = START + LONGEST
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cookies:
    """The cookies of the browser or the attacker: the generation of their pair, and when its access token expires."""

    generation: int
    access_until: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the simulation's log. `decision`: the result of `decide`, if it was called."""

    at: datetime
    who: str  # the subject of the sentence `text`; "" if it has its own
    text: str
    decision: Decision | None = None


@dataclass
class World:
    """The state after the moves so far. `loss`: lost responses in percent, chosen by a seeded random generator."""

    loss: int = 0
    now: datetime = START
    row: Row = field(default_factory=Row)
    browser: Cookies = field(default_factory=lambda: Cookies(1, START + ACCESS))
    attacker: Cookies | None = None
    delayed: Cookies | None = None
    next_lost: bool = False
    log: list[Line] = field(default_factory=list)
    happened: list[HistoryEntry] = field(default_factory=lambda: [HistoryEntry(session_history.STARTED, START, 1, ONE)])

    @property
    def day(self) -> int:
        return (self.now - START).days + 1

    @property
    def alive(self) -> bool:
        return self.row.revoked_at is None and self.now < min(self.row.ends_at, self.row.handed_at + IDLE)


def replay(moves: Sequence[str], loss: int = 0) -> World:
    """The state after `moves`, which must all be valid (see `read`). The same moves always give the same state."""
    world = World(loss=loss)
    for number, move in enumerate(moves):
        _move(world, move, random.Random(f"{number} {loss}"))  # noqa: S311 - seeded: the same result each time
    return world


def read(raw: str) -> list[str]:
    """The moves in a link, such as "1-w960-b", without invalid ones and without those beyond the maximum number."""
    return [move for move in raw[:1000].split("-") if is_move(move)][:MOST_MOVES]


def is_move(move: str) -> bool:
    seconds = move[1:]
    if move[:1] == "w" and seconds.isascii() and seconds.isdigit() and len(seconds) <= 6:
        return WAITS[0] <= int(seconds) <= WAITS[1]
    return move in MOVES


def after(moves: Sequence[str], move: str) -> list[str]:
    """The list with one more move, without the last (`undo`) or empty (`restart`); unchanged if `move` is invalid."""
    if move == "restart":
        return []
    if move == "undo":
        return list(moves[:-1])
    return [*moves, move] if is_move(move) and len(moves) < MOST_MOVES else list(moves)


def picture(world: World) -> session_history.Picture:
    lanes = [ONE, TWO, *([ATTACKER] if world.attacker else [])]
    return session_history.picture(world.happened, lanes, alive=world.alive)


def words(seconds: int) -> str:
    """A duration in words: "16 minutes"."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds // length} {unit}{'s' if seconds > length else ''}"
    return f"{seconds} second{'s' if seconds > 1 else ''}"


def _move(world: World, move: str, generator: random.Random) -> None:
    lost = world.next_lost or generator.randrange(100) < world.loss
    if move[0] == "w":
        world.now += timedelta(seconds=int(move[1:]))
        world.log.append(Line(world.now, "", f"The clock moves forward by {words(int(move[1:]))}."))
    elif move == "x":
        world.next_lost = True
        world.log.append(Line(world.now, "", "The response to the next refresh will be lost."))
    elif move == "c":
        _steal(world)
    elif move == "h":
        world.delayed = world.browser
        world.log.append(Line(world.now, TWO, "sends a request with its current cookies. The network delays it."))
    elif move == "d":
        _arrive(world)
    elif move == "b":
        before = world.browser
        _open(world, ONE, before, lost=lost)
        _open(world, TWO, before, lost=False)
    elif move == "t":
        _open(world, ATTACKER, world.attacker, lost=lost)
    else:
        _open(world, ONE if move == "1" else TWO, world.browser, lost=lost)


def _steal(world: World) -> None:
    world.attacker = world.browser
    world.log.append(Line(world.now, ATTACKER, f"copies the browser's cookies: pair {world.browser.generation}."))


def _arrive(world: World) -> None:
    held, world.delayed = world.delayed, None
    if held is None:
        world.log.append(Line(world.now, TWO, "has no delayed request."))
    else:
        _open(world, TWO, held, lost=False)


def _open(world: World, who: str, held: Cookies | None, *, lost: bool) -> None:
    """Request a page: with the access token while it is valid, otherwise after a refresh."""
    if held is None:
        world.log.append(Line(world.now, who, "has no cookies yet and gets the login page."))
    elif world.now < held.access_until and world.alive:
        world.row.confirmed = max(world.row.confirmed, held.generation)
        world.log.append(
            Line(world.now, who, f"presents access token {held.generation}, which is valid: the page opens.")
        )
    elif world.now < held.access_until:
        world.log.append(Line(world.now, who, f"presents access token {held.generation}, but the session has ended."))
    else:
        world.next_lost = False
        _refresh(world, who, held, retry=False, lost=lost)


def _refresh(world: World, who: str, held: Cookies, *, retry: bool, lost: bool) -> None:
    g, row = held.generation, world.row
    decision = decide(row, True, g, retry, world.now, IDLE, proven=True)
    if decision in (Decision.ROTATE, Decision.REPLAY):
        for name, value in issued(row, g, decision, world.now).items():
            setattr(row, name, value)
        _receive(world, who, held, decision, lost)
    elif decision is Decision.RETRY:
        text = f"presents refresh token {g} late. The server answers: read your cookies again and retry."
        _record(world, who, events.SESSION_RETRY_REQUESTED, g, decision, text)
        mine = (world.attacker if who == ATTACKER else world.browser) or held
        if mine.generation != g:
            _open(world, who, mine, lost=False)  # the browser reads its cookies again and has a newer pair
        else:
            _refresh(world, who, mine, retry=True, lost=False)
    elif decision is Decision.REUSE:
        row.revoked_at = world.now
        text = f"presents refresh token {g}, which was replaced before: the session ends for everyone."
        _record(world, who, events.SESSION_REUSED, g, decision, text)
        world.happened.append(HistoryEntry(events.SESSION_REVOKED, world.now, 0, words="ended for both"))
    else:
        world.log.append(Line(world.now, who, f"presents refresh token {g}, but the session has ended.", decision))


def _receive(world: World, who: str, held: Cookies, decision: Decision, lost: bool) -> None:
    """The response with the issued pair arrives or is lost. On arrival a page opens, which confirms the pair."""
    generation, replayed = world.row.generation, decision is Decision.REPLAY
    if lost:
        kind = session_history.LOST if not replayed else events.SESSION_REPLAYED
        text = f"refreshes with token {held.generation}; the response with pair {generation} is lost."
        _record(world, who, kind, generation, decision, text)
        return
    received = Cookies(generation, world.now + ACCESS)
    if who == ATTACKER:
        world.attacker = received
    else:
        world.browser = received
    world.row.confirmed = max(world.row.confirmed, generation)
    if replayed:
        text = f"presents refresh token {held.generation} and gets pair {generation} again."
        _record(world, who, events.SESSION_REPLAYED, generation, decision, text)
    else:
        text = f"refreshes with token {held.generation} and gets pair {generation}."
        _record(world, who, events.SESSION_ROTATED, generation, decision, text)


def _record(world: World, who: str, kind: str, generation: int, decision: Decision, text: str) -> None:
    world.happened.append(HistoryEntry(kind, world.now, generation, who))
    world.log.append(Line(world.now, who, text, decision))
