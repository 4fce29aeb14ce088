"""`python -m app doctor`: checks everything that can be set up wrongly, and says how to fix what it finds.

Reads and asks; changes nothing, but for one sign-in that fails on purpose when the site is reachable (it shows whether
the proxy is believed, and leaves one event in the audit log).
Chapter: "Going live".
"""

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Finding:
    """`fix` is "" where all is well. A note is worth knowing, and no mistake."""

    what: str
    says: str
    fix: str = ""
    note: bool = False

    @property
    def state(self) -> str:
        return "ok" if not self.fix else "note" if self.note else "wrong"


def examine(workers: int, proxies: str) -> Iterator[Finding]:
    """One finding after the other, in the order in which to fix them.

    `workers`: processes on this database, all machines together. `proxies`: what `serve` is given as
    --forwarded-allow-ips. Settings that are refused end it as they end every command: the questions need settings.
    """
    from app.cli.doctor import database, emails, settings, site

    yield from _whole("settings", settings.examine())
    yield from _whole("database", database.examine(workers))
    yield from _whole("mail", emails.examine())
    yield from _whole("site", site.examine(proxies))


def _whole(what: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """An unexpected error is a finding as well, and the next checks run."""
    try:
        yield from findings
    except Exception as error:
        reason = str(getattr(error, "orig", None) or error).partition("\n")[0]  # of the driver: no statement, no value
        says = f"this check failed with {type(error).__name__}: {reason}"
        yield Finding(
            what, says, "fix what the error names; if it names nothing, the database may be damaged or partly restored"
        )


def run(options: argparse.Namespace) -> int:
    """Print the findings. Returns the exit code: 1 if there is something to fix."""
    findings = map(without_secrets, examine(options.workers, options.forwarded_allow_ips))
    return _as_json(findings) if options.json else _as_text(findings)


def _as_text(findings: Iterable[Finding]) -> int:
    wrong = 0
    for finding in findings:
        mark = "WRONG" if finding.state == "wrong" else finding.state
        wrong += mark == "WRONG"
        says = " ".join(finding.says.split())  # what others said may have line ends
        print(f"{mark:<6} {finding.what:<10} {says}", flush=True)
        if finding.fix:
            print(f"{'':<18}fix: {finding.fix}", flush=True)
    print("No problems found." if not wrong else f"{wrong} to fix.")
    return 1 if wrong else 0


def _as_json(findings: Iterable[Finding]) -> int:
    found = [{"state": each.state, "what": each.what, "says": each.says, "fix": each.fix} for each in findings]
    wrong = sum(each["state"] == "wrong" for each in found)
    print(json.dumps({"wrong": wrong, "findings": found}, indent=2))
    return 1 if wrong else 0


def without_secrets(finding: Finding) -> Finding:
    """The finding without the value of any secret setting: what programs and drivers say may repeat one."""
    from app.web.secret_values import hidden

    return replace(finding, says=hidden(finding.says), fix=hidden(finding.fix))
