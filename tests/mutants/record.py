"""docs/mutants.md: what survived, and why that is no hole. People write the reasons there, and they are kept."""

from collections.abc import Iterable, Mapping

from tests.support.environment import ROOT

TARGET = ROOT / "docs" / "mutants.md"
HEAD = """\
# Mutation testing: surviving mutants

`make mutants` removes or changes one check of the code at a time: a condition of a WHERE, one side of an "and" or
"or", a permission, a statement that notifies others, the boundary of a comparison, a switch. The tests that enter the
changed function run on each mutant until one fails. Surviving mutants are listed here, with the reason why no test
can, or need, fail. The program writes the list, people write the reasons; a test refuses a line without
one, and a line about code that no longer exists.

The program is our own (`tests/mutants`), and no part of CI. mutmut 3.8 skips code that has a decorator or stands
outside of functions, where the statements that decide races are; cosmic-ray 8.7 starts Python anew for each
mutant. Neither removes a condition of a WHERE, or a statement that notifies others.
"""
TABLE = "| change | why nothing fails |\n|---|---|\n"


def read() -> dict[str, str]:
    """Change -> reason."""
    lines = TARGET.read_text().splitlines() if TARGET.exists() else []
    rows = [line.removeprefix("| ").removesuffix(" |").rsplit(" | ", 1) for line in lines if line.startswith("| app/")]
    return {change.replace(r"\|", "|"): reason.strip() for change, reason in rows}


def write(paths: Iterable[str], alive: Iterable[str]) -> dict[str, str]:
    """The page anew: for these files what is alive, for the others what stood there. Returns what it says."""
    known, about = read(), set(paths)
    now = {change: reason for change, reason in known.items() if change.partition(" ")[0] not in about}
    now |= {change: known.get(change, "") for change in alive}
    TARGET.write_text(page(dict(sorted(now.items()))))
    return now


def page(reasons: Mapping[str, str]) -> str:
    rows = ["| {} | {} |\n".format(change.replace("|", r"\|"), reason) for change, reason in reasons.items()]
    return f"{HEAD}\n{TABLE}{''.join(rows)}"
