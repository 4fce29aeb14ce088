"""Key rotation: replaces the signing secret in three steps, without logging any user out.

A rolling restart follows each step. During the restart, some workers use the old secrets and some the new ones, so all
workers must know a secret before any of them signs with it.

    add     adds a new secret, which verifies and does not sign yet
    switch  makes the new secret sign; the old one still verifies
    drop    removes the old secret; at the earliest when all sessions started with it have ended (APP_SESSION_SECONDS).
            What it encrypted is re-encrypted within the hour after `switch` (see `app.maintenance`)

The secret is in the environment, in the settings file (`.env`) or in a directory of secrets: the first that has it
counts, as in `app.settings`. A process cannot change the environment of others, so there the values to set are printed.

Source: v5.0.0-13.3.4, v5.0.0-11.2.2. Chapter: "Keys".
"""

import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path

SIGNS, VERIFIES = "APP_SECRET_KEY", "APP_VERIFYING_SECRET_KEYS"
STEPS = ("add", "switch", "drop")
ADVICE = {
    "add": "Restart every worker, then: rotate-keys switch",
    "switch": "Restart every worker; rotate-keys drop when its sessions are over",
    "drop": "Restart every worker: what the old secret signed is refused from then on",
}


def rotate(step: str, environment: Mapping[str, str], file: Path, folder: Path | None) -> str:
    """Take one step where the secret is stored. Returns what to do next, with the values to set for an environment.

    Errors: ValueError for a step out of order or secrets in two places, OSError.
    """
    text = file.read_text() if file.exists() else ""
    places = {
        "the environment": {name: value for name, value in environment.items() if name in (SIGNS, VERIFIES)},
        str(file): {name: _value(text, name) for name in (SIGNS, VERIFIES) if _values(text, name)},
        str(folder): _in_folder(folder) if folder else {},
    }
    place = next((each for each, found in places.items() if SIGNS in found), None)
    if place is None:
        raise ValueError(f"{SIGNS} stands neither in the environment nor in {file} nor in a file of APP_SECRETS_DIR")
    for other, found in places.items():
        if other == place:
            break
        if VERIFIES in found:
            raise ValueError(f"{VERIFIES} stands in {other}, and {SIGNS} in {place}: keep both in one place")
    if place == str(file):
        return change(file, step)
    signs, verifies = due(places[place][SIGNS], places[place].get(VERIFIES, ""), step, secrets.token_urlsafe(48))
    if folder and place == str(folder):
        _write_to(folder, step, signs, verifies)
        return ADVICE[step]
    values = f"{SIGNS}={signs}\n{VERIFIES}={','.join(verifies)}"
    return f"Set in the environment of every worker:\n{values}\n{ADVICE[step]}"


def change(file: Path, step: str) -> str:
    """Take one step in the settings file, atomically. Returns what to do next, in one line.

    Errors: ValueError for a step out of order, OSError.
    """
    text, advice = changed(file.read_text(), step, secrets.token_urlsafe(48))
    _replace(file, text, 0o600)
    return advice


def changed(text: str, step: str, fresh: str) -> tuple[str, str]:
    """The text of the settings file after that step, and what to do next. Pure."""
    return _with(text, *due(_value(text, SIGNS), _value(text, VERIFIES), step, fresh)), ADVICE[step]


def due(signs: str, listed: str, step: str, fresh: str) -> tuple[str, list[str]]:
    """The secret that signs after that step, and those that only verify. Pure. Errors: ValueError (out of order)."""
    verifies = [secret.strip() for secret in listed.split(",") if secret.strip()]
    if not signs:
        raise ValueError(f"{SIGNS} is empty")
    if step == "add":
        if verifies:
            raise ValueError(f"{VERIFIES} is not empty: switch or drop first")
        return signs, [fresh]
    if not verifies:
        raise ValueError(f"{VERIFIES} is empty: add first")
    if step == "drop":
        return signs, []
    if verifies[-1] == signs:  # an earlier switch in a directory was interrupted
        return signs, [secret for secret in verifies if secret != signs]
    return verifies[-1], [signs]


def _in_folder(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text().strip() for name in (SIGNS, VERIFIES) if (folder / name).is_file()}


def _write_to(folder: Path, step: str, signs: str, verifies: list[str]) -> None:
    """Write the two files in an order in which a reader in between, or after a crash, finds every secret it needs."""
    mode = (folder / SIGNS).stat().st_mode & 0o777  # the container that reads it may run as another user
    try:
        if step == "switch":
            _replace(folder / VERIFIES, f"{','.join([*verifies, signs])}\n", mode)
            _replace(folder / SIGNS, f"{signs}\n", mode)
        _replace(folder / VERIFIES, f"{','.join(verifies)}\n", mode)
    except OSError as error:
        where = "the process has only copies there; run this where they are kept, with APP_SECRETS_DIR=/etc/lanyard"
        raise ValueError(
            f"{folder} cannot be written to ({error.strerror}): {where}, or what that folder is"
        ) from error


def _replace(file: Path, text: str, mode: int) -> None:
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # readable only by its owner
    with os.fdopen(handle, "w") as new:
        new.write(text)
    Path(name).chmod(mode)
    Path(name).replace(file)


def _values(text: str, name: str) -> list[str]:
    return re.findall(rf"^[ \t]*(?:export[ \t]+)?{re.escape(name)}[ \t]*=(.*)$", text, re.MULTILINE)


def _value(text: str, name: str) -> str:
    found = _values(text, name)
    return re.sub(r"\s+#.*", "", found[-1]).strip().strip("\"'") if found else ""


def _with(text: str, signs: str, verifies: list[str]) -> str:
    others = [line for line in text.splitlines() if not any(_values(line, name) for name in (SIGNS, VERIFIES))]
    return "\n".join([*others, f"{SIGNS}={signs}", f"{VERIFIES}={','.join(verifies)}"]) + "\n"
