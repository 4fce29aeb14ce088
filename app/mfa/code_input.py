"""The input field for a code: reads a TOTP code or a recovery code however it was typed or pasted. Pure functions."""

import re
import unicodedata

from app.unicode import normalised
from app.web import lengths

LIST_NUMBER = re.compile(r"\A\s*\d{1,2}[.)]\s")  # "1. " before a code of a list
FORM = re.compile(r"[0-9]{6}|[a-z2-7]{24}")


def normalise(typed: str) -> str | None:
    """The six digits of a TOTP code or the 24 characters of a recovery code; None if the input is neither.

    Converts decimal digits of any script, and removes spaces, dashes, invisible characters and a list number.
    """
    text = normalised("NFKC", typed, lengths.CODE)
    if text is None:
        return None
    shown = "".join(each for each in text if unicodedata.category(each) != "Cf")
    text = LIST_NUMBER.sub("", shown).lower()
    code = "".join(str(unicodedata.decimal(each, each)) for each in text if not _between(each))
    return code if FORM.fullmatch(code) else None


def digits(typed: str) -> str | None:
    """The six digits of a TOTP code; None for a recovery code or any other input."""
    code = normalise(typed)
    return code if code and len(code) == 6 else None


def _between(each: str) -> bool:
    return each.isspace() or unicodedata.category(each) == "Pd" or each in "\u2212\u2043"  # minus, hyphen bullet
