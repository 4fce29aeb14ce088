"""`python -m app doctor`: checks everything that can be set up wrongly, and says how to fix what it finds.

Reads and asks; changes nothing, but for one sign-in that fails on purpose when the site is reachable (it shows whether
the proxy is believed, and leaves one line in the audit trail).
Chapter: "Going live".
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """`fix` is "" where all is well. A note is worth knowing, and no mistake."""

    what: str
    says: str
    fix: str = ""
    note: bool = False


def examine(workers: int, proxies: str) -> Iterator[Finding]:
    """One finding after the other, in the order in which to mend them.

    `workers`: processes on this database, all machines together. `proxies`: what `serve` is given as
    --forwarded-allow-ips. Settings that are refused end it as they end every command: the questions need settings.
    """
    from app.cli.doctor import database, emails, settings, site

    yield from _whole("settings", settings.examine())
    yield from _whole("database", database.examine(workers))
    yield from _whole("mail", emails.examine())
    yield from _whole("site", site.examine(proxies))


def _whole(what: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """What nobody thought of is a finding as well, and the next questions are asked."""
    try:
        yield from findings
    except Exception as error:
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0]  # of the driver: no statement, no value
        says = f"the questions about it end in {type(error).__name__}: {reason}"
        yield Finding(
            what, says, "mend what it names; if that is nothing, the database may be damaged or half restored"
        )


def run(options: argparse.Namespace) -> int:
    """Print the findings. Returns the exit code: 1 if there is something to mend."""
    wrong = 0
    for finding in examine(options.workers, options.forwarded_allow_ips):
        mark = "ok" if not finding.fix else "note" if finding.note else "WRONG"
        wrong += mark == "WRONG"
        print(f"{mark:<6} {finding.what:<10} {finding.says}", flush=True)
        if finding.fix:
            print(f"{'':<18}fix: {finding.fix}", flush=True)
    print("Nothing to mend." if not wrong else f"{wrong} to mend.")
    return 1 if wrong else 0
