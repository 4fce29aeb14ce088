"""TOTP codes of an authenticator app, and recovery codes. Pure functions, except for random bits.

Chapter: "The life of an account". Source: RFC 6238, RFC 4226; NIST SP 800-63B-4 sections 3.1.2 and 3.1.4; v5.0.0-6.5.*.
"""

import base64
import hashlib
import hmac
import re
import secrets
import unicodedata
from datetime import datetime

import pyotp
import segno

from app.unicode import normalised

STEP = 30  # seconds that an authenticator shows a code
DRIFT = 1  # accepted steps before and after the current one: clocks differ, and typing takes time
RECOVERY = 10  # codes in a set
RECOVERY_BYTES = 15  # 120 bits cannot be guessed, so an unsalted digest may be stored (v5.0.0-6.5.2)

LONGEST = 100  # characters of the input, checked first
LIST_NUMBER = re.compile(r"\A\s*\d{1,2}[.)]\s")  # "1. " before a code of a list
FORM = re.compile(r"[0-9]{6}|[a-z2-7]{24}")


def new_secret() -> str:
    """160 random bits in base32, as RFC 4226 section 4 recommends."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def provisioning_uri(secret: str, email: str, issuer: str) -> str:
    """The URI that an authenticator app reads: `otpauth://totp/...`."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=issuer)


def qr_code(text: str) -> str:
    """The text as a QR code: inline SVG without size and style, black on white in dark mode too, so cameras read it."""
    return segno.make(text, error="m", micro=False).svg_inline(dark="#000", light="#fff", omitsize=True)


def step(secret: str, code: str, now: datetime) -> int | None:
    """The 30-second step around `now` that has this code; None for a wrong code. `now`: the database's time."""
    here = int(now.timestamp()) // STEP
    fits = [
        number
        for number in range(here - DRIFT, here + DRIFT + 1)
        if hmac.compare_digest(pyotp.TOTP(secret).generate_otp(number).encode(), code.encode())
    ]
    return fits[-1] if fits else None


def normalise(typed: str) -> str | None:
    """The six digits of a TOTP code or the 24 characters of a recovery code; None if the input is neither.

    Converts decimal digits of any script, and removes spaces, dashes, invisible characters and a list number.
    """
    text = normalised("NFKC", typed, LONGEST)
    if text is None:
        return None
    shown = "".join(each for each in text if unicodedata.category(each) != "Cf")
    text = LIST_NUMBER.sub("", shown).lower()
    code = "".join(str(unicodedata.decimal(each, each)) for each in text if not _between(each))
    return code if FORM.fullmatch(code) else None


def _between(each: str) -> bool:
    return each.isspace() or unicodedata.category(each) == "Pd" or each in "\u2212\u2043"  # minus, hyphen bullet


def digits(typed: str) -> str | None:
    """The six digits of a TOTP code; None for a recovery code or any other input."""
    code = normalise(typed)
    return code if code and len(code) == 6 else None


def new_recovery_codes() -> list[str]:
    """Ten recovery codes, each 24 letters and digits in four groups."""
    made = [base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY)]
    return ["-".join(code[at : at + 6] for at in range(0, 24, 6)) for code in made]


def digest(typed: str) -> str:
    """The stored form of a recovery code: SHA-256 of its normalised form, as hex."""
    return hashlib.sha256((normalise(typed) or "").encode()).hexdigest()
