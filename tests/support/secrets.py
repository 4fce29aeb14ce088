"""What must not stand in any log: what the tests' people know and hold, and whatever looks like it.

`tests.support.server` looks through the log of every server when it has stopped (v5.0.0-16.2.5).
"""

import re

from app.auth.accounts import demo_accounts

# A token of ours or another's, a password's hash, a mail address.
LOOKS_SECRET = re.compile(r"eyJ[\w-]{8,}\.[\w-]+|argon2id?\$|[\w.+-]+@[\w-]+\.[a-z]{2,}")
_known: set[str] = set()


def keep(*values: str) -> None:
    """These are secrets from now on."""
    _known.update(filter(None, values))


def found_in(log: str, *more: str) -> list[str]:
    """The secrets that stand in the text; the accounts that a development server shows at its start left out."""
    for account in demo_accounts.ACCOUNTS:
        log = log.replace(f"    {account.email:<20}{account.password:<26}{account.role}\n", "")
    shown = {account.password for account in demo_accounts.ACCOUNTS}
    known = {secret for secret in _known | shown | set(more) if secret in log}
    return sorted(known | {match.group() for match in LOOKS_SECRET.finditer(log)})
