"""Weak secrets: too short, published, or repetitive.

Long enough is not enough: a tutorial's key has its 256 bits, and everybody who read the tutorial has them too. The keys
that are known to stand in public are here as hashes (`published_keys.txt`, written by `deploy/published_keys.py`).
Chapter: "Configuration that refuses to be weak".
Source: v5.0.0-11.2.3, v5.0.0-13.2.3; RFC 7518 section 3.2; CWE-1394 (use of default cryptographic key).
"""

import hashlib
import math
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

BYTES = 32  # RFC 7518 section 3.2: an HS256 key is at least as long as the hash
BITS = 70  # by `surprise`; of 20,000 random keys of 128 bits, the shortest there are, the worst has 93
LAGS = 8
RANDOM = "use a random one (openssl rand -base64 48)"

# What the secrets of examples are called.
WELL_KNOWN = (
    "secret", "changeme", "change-me", "change_me", "changethis", "change-this", "change_this",
    "change-in-production", "example", "insecure", "placeholder", "my secret", "password",
)  # fmt: skip
# Passwords that databases and mail servers come with, or are shown with.
DEFAULT = frozenset(
    {*WELL_KNOWN, "postgres", "postgresql", "admin", "administrator", "root", "test", "lanyard", "1234"}
)

_ROWS = ("`1234567890-=", "\tqwertyuiop[]\\", "\tasdfghjkl;'", "\tzxcvbnm,./")
_UNSHIFTED = str.maketrans('~!@#$%^&*()_+{}|:"<>?', "`1234567890-=[]\\;',./")
_KEYS = {key: (column, row) for row, keys in enumerate(_ROWS) for column, key in enumerate(keys)}


def weakness(secret: str) -> str | None:
    """Why the secret is refused, as the end of a sentence; None for a good one. For secrets that we make ourselves."""
    if len(secret.encode()) < BYTES:
        return f"is too short: use at least {BYTES} bytes (openssl rand -base64 48)"
    if fingerprint(secret) in _published():
        return f"is public, in an example or a list of known keys: {RANDOM}"
    if any(word in secret.lower() for word in WELL_KNOWN) or surprise(secret) < BITS:
        return f"is easy to guess: {RANDOM}"
    return None


def has_default_password(url: str) -> bool:
    """Of a database or a mail server: the one that it comes with, its user's name, or a published key."""
    try:
        parts = urlsplit(url)
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
    except ValueError:
        return False  # no address: somebody else says so
    tried = password.lower() in DEFAULT | {user.lower()} or fingerprint(password) in _published()
    return bool(password) and tried


def surprise(secret: str) -> float:
    """Bits, at most: what each character adds that does not go on as those before it.

    A character goes on when it and the two before it stand to the one `lag` places earlier in one relation: the same,
    the next or the last in the alphabet, the next key on the keyboard. Or when the three stood there before.
    """
    text = secret.lower().translate(_UNSHIFTED)
    seen = [[_relations(text[at - lag], text[at]) if lag <= at else set() for lag in range(1, LAGS + 1)]
            for at in range(len(text))]  # fmt: skip
    new = sum(
        at < 3
        or (
            not any(a & b & c for a, b, c in zip(*seen[at - 2 : at + 1], strict=True))
            and text.find(text[at - 2 : at + 1]) == at - 2
        )
        for at in range(len(text))
    )
    return new * math.log2(max(len(set(text)), 2))


def fingerprint(secret: str) -> str:
    """What is kept of a published key: 64 bits of a hash, the same for each spelling of it in hexadecimal or base64."""
    plain = secret.strip().rstrip("=").replace("+", "-").replace("/", "_").lower()
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def _relations(one: str, other: str) -> set[object]:
    found: set[object] = {step} if abs(step := ord(other) - ord(one)) <= 1 else set()
    if one in _KEYS and other in _KEYS:
        (column, row), (next_column, next_row) = _KEYS[one], _KEYS[other]
        if abs(next_column - column) + abs(next_row - row) == 1:
            found.add((next_column - column, next_row - row))
    return found


@cache
def _published() -> frozenset[str]:
    lines = Path(__file__).with_name("published_keys.txt").read_text().splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))
