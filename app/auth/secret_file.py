"""Changing the signing secret without logging anybody out, in three steps over the file of settings.

Each step is followed by a rolling restart: while it lasts, some workers run with the old file and some with the new,
so a secret must be known to all before anyone signs with it.

    add     a new secret, which verifies and does not sign yet
    switch  the new secret signs, the old one verifies
    drop    the old secret is forgotten; at the earliest when the sessions it began are over (APP_SESSION_SECONDS).
            What it encrypted was encrypted anew within the hour after `switch` (see `app.housekeeping`)

Source: v5.0.0-13.3.4, v5.0.0-11.2.2. Chapter: "Keys".
"""

import os
import re
import secrets
import tempfile
from pathlib import Path

SIGNS, VERIFIES = "APP_SECRET_KEY", "APP_VERIFYING_SECRET_KEYS"
STEPS = ("add", "switch", "drop")


def change(file: Path, step: str) -> str:
    """Take one step in the file, at once or not at all; returns what to do next, in one line.

    Errors: ValueError for a step that is not due, OSError.
    """
    text, advice = changed(file.read_text(), step, secrets.token_urlsafe(48))
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f"{file.name}.")  # readable by its owner alone
    with os.fdopen(handle, "w") as new:
        new.write(text)
    Path(name).replace(file)
    return advice


def changed(text: str, step: str, fresh: str) -> tuple[str, str]:
    """The settings after that step, and what to do next. Pure."""
    signs = _value(text, SIGNS)
    verifies = [secret for secret in _value(text, VERIFIES).split(",") if secret]
    if not signs:
        raise ValueError(f"{SIGNS} does not stand in this file")
    if step == "add":
        if verifies:
            raise ValueError(f"{VERIFIES} is not empty: switch or drop first")
        return _with(text, signs, [fresh]), "Restart every worker, then: rotate-keys switch"
    if not verifies:
        raise ValueError(f"{VERIFIES} is empty: add first")
    if step == "switch":
        return _with(text, verifies[-1], [signs]), "Restart every worker; rotate-keys drop when its sessions are over"
    return _with(text, signs, []), "Restart every worker: what the old secret signed is refused from then on"


def _value(text: str, name: str) -> str:
    found = re.findall(rf"^{re.escape(name)}=(.*)$", text, re.MULTILINE)
    return found[-1].strip().strip("\"'") if found else ""


def _with(text: str, signs: str, verifies: list[str]) -> str:
    others = [line for line in text.splitlines() if not re.match(rf"({SIGNS}|{VERIFIES})=", line)]
    return "\n".join([*others, f"{SIGNS}={signs}", f"{VERIFIES}={','.join(verifies)}"]) + "\n"
