"""Recovery codes: how they are made, and the digest that is stored of each. No database.

Chapter: "The life of an account". Source: NIST SP 800-63B-4 section 3.1.2; v5.0.0-6.5.2, v5.0.0-6.5.3.
"""

import base64
import hashlib
import secrets

from app.mfa.code_input import normalise

COUNT = 10  # codes in a set
BYTES = 15  # 120 bits cannot be guessed, so an unsalted digest may be stored (v5.0.0-6.5.2)


def new_codes() -> list[str]:
    """Ten recovery codes, each 24 letters and digits in four groups."""
    made = [base64.b32encode(secrets.token_bytes(BYTES)).decode().lower() for _ in range(COUNT)]
    return ["-".join(code[at : at + 6] for at in range(0, 24, 6)) for code in made]


def digest(typed: str) -> str:
    """The stored form of a recovery code: SHA-256 of its normalised form, as hex."""
    return hashlib.sha256((normalise(typed) or "").encode()).hexdigest()
