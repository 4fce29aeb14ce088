"""The time machine: the real `rotation_policy` on a clock of its own, with two tabs, a thief and a bad network around
it.

A world is its list of moves, replayed from the beginning each time: it can be linked, and nothing is kept between two
requests. The server's part is `rotation_policy` and `issued`, as in `rotation.rotate`; the rest is what browsers,
thieves and networks do. No clock is read here.
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
WAITS = (1, 60 * 60 * 24 * 8)  # seconds that a wait may take
ONE, TWO, THIEF = "Tab 1", "Tab 2", "Thief"

# Letter -> what the button says. A wait is w and its seconds.
MOVES = {
    "1": "Tab 1 opens a page",
    "2": "Tab 2 opens a page",
    "b": "Both at the same moment",
    "x": "The next renewal gets lost",
    "h": "Tab 2 asks, and its request hangs",
    "d": "The request that hangs arrives",
    "c": "A thief copies the cookies",
    "t": "The thief opens a page",
}


@dataclass
class Row:
    """The session on the server: the part that `rotation_policy` looks at."""

    generation: int = 1
    confirmed: int = 1
    handed_at: datetime = START
    ends_at: datetime = START + LONGEST
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Jar:
    """What somebody holds: the generation of the pair, and when its access token is over."""

    generation: int
    access_until: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """What happened, for the log beside the picture. `decision`: what `rotation_policy` said, where it was asked."""

    at: datetime
    who: str
    text: str
    decision: Decision | None = None


@dataclass
class World:
    """Everything after the moves so far. `loss`: percent of answers lost, by a die that always falls the same way."""

    loss: int = 0
    now: datetime = START
    row: Row = field(default_factory=Row)
    browser: Jar = field(default_factory=lambda: Jar(1, START + ACCESS))
    thief: Jar | None = None
    hanging: Jar | None = None
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
    """The world after these moves. Errors: none; what is no move is passed over (see `read`)."""
    world = World(loss=loss)
    for number, move in enumerate(moves):
        _move(world, move, random.Random(f"{number} {loss}"))  # noqa: S311 - a die for a picture, the same each time
    return world


def read(raw: str) -> list[str]:
    """The moves in a link, "1-w960-b"; what is no move is left out, and so is what is beyond the limit."""
    return [move for move in raw[:1000].split("-") if is_move(move)][:MOST_MOVES]


def is_move(move: str) -> bool:
    seconds = move[1:]
    if move[:1] == "w" and seconds.isascii() and seconds.isdigit() and len(seconds) <= 6:
        return WAITS[0] <= int(seconds) <= WAITS[1]
    return move in MOVES


def after(moves: Sequence[str], move: str) -> list[str]:
    """The list with one more move, without the last one (`undo`), or empty (`restart`); as it was for anything else."""
    if move == "restart":
        return []
    if move == "undo":
        return list(moves[:-1])
    return [*moves, move] if is_move(move) and len(moves) < MOST_MOVES else list(moves)


def picture(world: World) -> session_history.Picture:
    lanes = [ONE, TWO, *([THIEF] if world.thief else [])]
    return session_history.picture(world.happened, lanes, alive=world.alive)


def words(seconds: int) -> str:
    """A wait, for people: "16 minutes"."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds // length} {unit}{'s' if seconds > length else ''}"
    return f"{seconds} second{'s' if seconds > 1 else ''}"


def _move(world: World, move: str, die: random.Random) -> None:
    lost = world.next_lost or die.randrange(100) < world.loss
    if move[0] == "w":
        world.now += timedelta(seconds=int(move[1:]))
        world.log.append(Line(world.now, "", f"{words(int(move[1:]))} go by."))
    elif move == "x":
        world.next_lost = True
        world.log.append(Line(world.now, "", "The answer to the next renewal will get lost."))
    elif move == "c":
        _steal(world)
    elif move == "h":
        world.hanging = world.browser
        world.log.append(Line(world.now, TWO, "Sends a request, which hangs in the network with the cookies of now."))
    elif move == "d":
        _arrive(world)
    elif move == "b":
        before = world.browser
        _open(world, ONE, before, lost=lost)
        _open(world, TWO, before, lost=False)
    elif move == "t":
        _open(world, THIEF, world.thief, lost=lost)
    else:
        _open(world, ONE if move == "1" else TWO, world.browser, lost=lost)


def _steal(world: World) -> None:
    world.thief = world.browser
    world.log.append(Line(world.now, THIEF, f"Copies what lies in the browser: pair {world.browser.generation}."))


def _arrive(world: World) -> None:
    held, world.hanging = world.hanging, None
    if held is None:
        world.log.append(Line(world.now, TWO, "No request hangs."))
    else:
        _open(world, TWO, held, lost=False)


def _open(world: World, who: str, held: Jar | None, *, lost: bool) -> None:
    """A page is asked for with what somebody holds: by the access token while it counts, else by renewing first."""
    if held is None:
        world.log.append(Line(world.now, who, "Has copied nothing yet, and sees the login page."))
    elif world.now < held.access_until and world.alive:
        world.row.confirmed = max(world.row.confirmed, held.generation)
        world.log.append(Line(world.now, who, f"Shows access token {held.generation}: still good, the page comes."))
    elif world.now < held.access_until:
        world.log.append(Line(world.now, who, f"Shows access token {held.generation}; the session is over."))
    else:
        world.next_lost = False
        _renew(world, who, held, asked=False, lost=lost)


def _renew(world: World, who: str, held: Jar, *, asked: bool, lost: bool) -> None:
    g, row = held.generation, world.row
    decision = decide(row, True, g, asked, world.now, IDLE)
    if decision in (Decision.ROTATE, Decision.REPLAY):
        for name, value in issued(row, g, decision, world.now).items():
            setattr(row, name, value)
        _receive(world, who, held, decision, lost)
    elif decision is Decision.RETRY:
        _note(world, who, events.SESSION_RETRY_REQUESTED, g, decision, f"Brings {g} late and is told to ask again.")
        mine = (world.thief if who == THIEF else world.browser) or held
        if mine.generation != g:
            _open(world, who, mine, lost=False)  # the browser reads its cookies again: a newer pair lies there
        else:
            _renew(world, who, mine, asked=True, lost=False)
    elif decision is Decision.REUSE:
        row.revoked_at = world.now
        _note(
            world,
            who,
            events.SESSION_REUSED,
            g,
            decision,
            f"Brings {g}, long replaced: the session ends for everybody.",
        )
        world.happened.append(HistoryEntry(events.SESSION_REVOKED, world.now, 0, words="ended for both"))
    else:
        world.log.append(Line(world.now, who, f"Brings {g}; the session is over.", decision))


def _receive(world: World, who: str, held: Jar, decision: Decision, lost: bool) -> None:
    """A pair was handed out; it may get lost on its way. Who gets it opens a page, which proves that it arrived."""
    generation, replayed = world.row.generation, decision is Decision.REPLAY
    if lost:
        kind = session_history.LOST if not replayed else events.SESSION_REPLAYED
        text = f"Renews with {held.generation}; the answer with {generation} gets lost."
        _note(world, who, kind, generation, decision, text)
        return
    jar = Jar(generation, world.now + ACCESS)
    if who == THIEF:
        world.thief = jar
    else:
        world.browser = jar
    world.row.confirmed = max(world.row.confirmed, generation)
    if replayed:
        text = f"Brings {held.generation} and is handed {generation} once more."
        _note(world, who, events.SESSION_REPLAYED, generation, decision, text)
    else:
        text = f"Renews with {held.generation} and gets {generation}."
        _note(world, who, events.SESSION_ROTATED, generation, decision, text)


def _note(world: World, who: str, kind: str, generation: int, decision: Decision, text: str) -> None:
    world.happened.append(HistoryEntry(kind, world.now, generation, who))
    world.log.append(Line(world.now, who, text, decision))
