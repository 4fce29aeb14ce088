"""Unicode normalisation of untrusted text, bounded by its length first.

Normalisation sorts the marks on a character by their combining class, in a time that grows with the square of their
number: some hundred thousand on one character keep a core busy for minutes. Writing needs a few. So the length is
checked first, in here, and a run of marks is cut into short ones; text of any language stays as it is.
Source: Unicode Standard Annex 15, section 13 (Stream-Safe Text Format); v5.0.0-15.2.2.
"""

import unicodedata
from typing import Literal

MARKS = 30  # in a row; what UAX 15 allows
JOINER = "\u034f"  # COMBINING GRAPHEME JOINER, of class 0: nothing is sorted past it
# Of class 0 themselves, and yet they fall apart into marks: vowels of Tibetan, and the half-width sound marks of kana.
FALL_APART = frozenset("\u0f73\u0f75\u0f81\uff9e\uff9f")


def normalised(form: Literal["NFC", "NFKC"], text: str, longest: int) -> str | None:
    """The text in that normal form; None, and nothing is done, for more than `longest` code points as they came."""
    if len(text) > longest:
        return None
    return text if text.isascii() else unicodedata.normalize(form, _stream_safe(text))


def is_mark(character: str) -> bool:
    """Normalisation may sort it. Decided by the combining class: the categories of marks hold more, and not all."""
    return unicodedata.combining(character) != 0 or character in FALL_APART


def _stream_safe(text: str) -> str:
    safe, height = [], 0
    for character in text:
        height = height + 1 if is_mark(character) else 0
        if height > MARKS:
            safe.append(JOINER)
            height = 1
        safe.append(character)
    return "".join(safe)
