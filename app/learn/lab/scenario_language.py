"""Scenarios of the time machine in words, one line for each move, so that a link can tell a story and ask about it.

    tab 1 opens a page
    attacker copies the cookies
    wait 16 minutes
    attacker opens a page
    expect generation 2

Bounded and strict: a line that is none of these is an error, and nothing of the script is carried out then.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.auth.sessions.rotation_policy import Decision
from app.learn.lab import simulation
from app.learn.lab.simulation import MOST_MOVES, World

LONGEST, MOST_EXPECTATIONS = 2000, 20  # characters of a script; lines that begin with "expect"
MOVES = {
    "tab 1 opens a page": "1",
    "tab 2 opens a page": "2",
    "both tabs open a page": "b",
    "lose the next response": "x",
    "delay a request of tab 2": "h",
    "deliver the delayed request": "d",
    "attacker copies the cookies": "c",
    "attacker opens a page": "t",
}
UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
WAIT = re.compile(r"wait ([1-9][0-9]{0,4}) (second|minute|hour|day)s?")
EXPECT = re.compile(rf"expect (active|ended|generation [1-9][0-9]?|{'|'.join(each.value for each in Decision)})")
_WORDS = {move: line for line, move in MOVES.items()}


class ScriptError(ValueError):
    """Line `number` (from 1; 0 for the whole) of a script is not of the language. The text says why."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number


@dataclass(frozen=True, slots=True)
class Expectation:
    """What line `number` expects after the first `moves` moves."""

    number: int
    moves: int
    text: str


@dataclass(frozen=True, slots=True)
class Script:
    moves: list[str]
    expectations: list[Expectation]


@dataclass(frozen=True, slots=True)
class Result:
    """`happened`: the state in the words of the language."""

    number: int
    expected: str
    happened: str

    @property
    def held(self) -> bool:
        return self.expected in self.happened.split(", ")


def parse(text: str) -> Script:
    """Errors: ScriptError for the first line that is wrong, or for a script that is too long."""
    if len(text) > LONGEST:
        raise ScriptError(0, f"A script has at most {LONGEST} characters.")
    moves: list[str] = []
    expectations: list[Expectation] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = " ".join(raw.split()).lower()
        if not line:
            continue
        if found := EXPECT.fullmatch(line):
            expectations.append(Expectation(number, len(moves), found[1]))
        elif found := WAIT.fullmatch(line):
            moves.append(f"w{int(found[1]) * UNITS[found[2]]}")
        elif line in MOVES:
            moves.append(MOVES[line])
        else:
            raise ScriptError(number, f"not a line of a scenario: {raw.strip()[:60]}")
        if moves and not simulation.is_move(moves[-1]):
            raise ScriptError(number, "a wait is 1 second to 8 days")
        if len(moves) > MOST_MOVES or len(expectations) > MOST_EXPECTATIONS:
            raise ScriptError(number, f"more than {MOST_MOVES} moves or {MOST_EXPECTATIONS} expectations")
    return Script(moves, expectations)


def written(moves: Sequence[str]) -> str:
    """The script of these moves, which must all be valid."""
    return "\n".join(_WORDS.get(move) or f"wait {simulation.words(int(move[1:]))}" for move in moves)


def check(script: Script, loss: int = 0) -> list[Result]:
    """What each expectation meets in the simulation."""
    return [
        Result(each.number, each.text, _state(simulation.replay(script.moves[: each.moves], loss)))
        for each in script.expectations
    ]


def _state(world: World) -> str:
    decisions = [line.decision.value for line in world.log if line.decision]
    said = ["active" if world.alive else "ended", f"generation {world.row.generation}", *decisions[-1:]]
    return ", ".join(dict.fromkeys(said))
