"""TOTP codes of an authenticator, and recovery codes. Pure, but for random bits.

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

STEP = 30  # seconds that a code is shown for
DRIFT = 1  # steps before and after: clocks differ, and typing takes a while
RECOVERY = 10  # codes in a set
RECOVERY_BYTES = 15  # 120 bits: beyond guessing, so a plain digest of it may be kept (v5.0.0-6.5.2)

LONGEST = 100  # characters of what is typed, before anything is done with it
LIST_NUMBER = re.compile(r"\A\s*\d{1,2}[.)]\s")  # "1. " before a code of a list
FORM = re.compile(r"[0-9]{6}|[a-z2-7]{24}")


def new_secret() -> str:
    """160 random bits in base32, as RFC 4226 section 4 asks for."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def address(secret: str, email: str, issuer: str) -> str:
    """What an authenticator reads: `otpauth://totp/...`."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=issuer)


def picture(text: str) -> str:
    """The text as a QR code, SVG of any size and without style; black on white, for cameras, in the dark too."""
    return segno.make(text, error="m", micro=False).svg_inline(dark="#000", light="#fff", omitsize=True)


def step(secret: str, code: str, now: datetime) -> int | None:
    """The step of 30 seconds whose code this is, around now; None for a wrong one. `now`: the server's time."""
    here = int(now.timestamp()) // STEP
    fits = [
        number
        for number in range(here - DRIFT, here + DRIFT + 1)
        if hmac.compare_digest(pyotp.TOTP(secret).generate_otp(number).encode(), code.encode())
    ]
    return fits[-1] if fits else None


def plain(typed: str) -> str | None:
    """Six digits or the 24 characters of a recovery code, out of what people paste; None for what can be neither.

    Decimal digits of any script, spaces, dashes, invisible characters and the number of a list do not count.
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
    """The six digits that an authenticator shows; None for what can only be a recovery code, or no code."""
    code = plain(typed)
    return code if code and len(code) == 6 else None


def new_recovery_codes() -> list[str]:
    """A set of ten: 24 letters and digits in four groups."""
    made = [base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY)]
    return ["-".join(code[at : at + 6] for at in range(0, 24, 6)) for code in made]


def digest(typed: str) -> str:
    """What is kept of a recovery code, however it is typed; see `plain`."""
    return hashlib.sha256((plain(typed) or "").encode()).hexdigest()
