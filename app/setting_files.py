"""Where settings are kept besides the environment: `.env`, and a folder with a file for each secret.

What cannot be read is refused in one line that names the file. Never knows what a setting means.
Chapter: "Configuration that refuses to be weak".
"""

import codecs
import os
import sys
from collections.abc import Collection
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Refused(Exception):
    """What to change before anything can start: lines that each name a variable or a file, and never a value."""

    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)
        self.lines = lines

    def say(self) -> int:
        """Print them on standard error. Returns the exit code."""
        for line in self.lines:
            print(f"lanyard: {line}", file=sys.stderr)
        return 2


def env_file() -> Path:
    """Where settings stand that the process environment does not have. Errors: Refused."""
    file = Path(os.environ.get("APP_ENV_FILE", ROOT / ".env"))
    try:
        is_file = file.is_file()
    except OSError as error:
        raise Refused(f"{file} cannot be read: {error.strerror}") from None
    if is_file:
        _refuse_unreadable(file)
    return file


def secrets_folder() -> Path | None:
    """Where each setting may be a file of its name: secrets of a container engine, credentials of systemd.

    An environment is inherited and shown in many places, a file is not (v5.0.0-13.3.1). Errors: Refused.
    """
    named = os.environ.get("APP_SECRETS_DIR")
    if not named:
        return None
    folder = Path(named)
    if not folder.is_dir():
        raise Refused(f"APP_SECRETS_DIR names no folder: {named}")
    return folder


def refuse_unreadable(folder: Path, names: Collection[str]) -> None:
    """Errors: Refused, if a file that is called as a setting, with or without APP_ before it, is no text."""
    try:
        found = [each for each in folder.iterdir() if each.name.lower().removeprefix("app_") in names]
    except OSError as error:
        raise Refused(f"APP_SECRETS_DIR names a folder that cannot be read ({folder}): {error.strerror}") from None
    for file in found:
        _refuse_unreadable(file)


def _refuse_unreadable(file: Path) -> None:
    try:
        encoding = _not_utf8(file.read_bytes())
    except OSError as error:
        raise Refused(f"{file} cannot be read: {error.strerror}") from None
    if encoding:
        raise Refused(f"{file} is {encoding}: save it as UTF-8")


def _not_utf8(content: bytes) -> str:
    """What the text is instead; "" for UTF-8. PowerShell's `>` writes UTF-16."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content:
        return "UTF-16"  # without a mark, too: ASCII in it is every other byte zero
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "not UTF-8"
    return ""
