"""TOTP: the secret of an authenticator app, its QR code, and the check of a six-digit code. No database.

Chapter: "The life of an account". Source: RFC 6238, RFC 4226; NIST SP 800-63B-4 section 3.1.4; v5.0.0-6.5.*.
"""

import base64
import hmac
import re
import secrets
from datetime import datetime

import pyotp
import segno

STEP = 30  # seconds that an authenticator shows a code
DRIFT = 1  # accepted steps before and after the current one: clocks differ, and typing takes time

GOOD_BITS = 128  # of a secret (RFC 4226, R6); ours have 160
LEAST_BITS = 80  # what other systems made; only an import takes them


class _Any(pyotp.TOTP):
    """Reads imported secrets too: the library's own limit is 112 bits."""

    min_secret_length_bits = LEAST_BITS


def imported(written: str, *, short: bool) -> str:
    """A secret of another system as it is stored here. `short`: even with fewer than GOOD_BITS.

    Errors: ValueError, with the reason, for text that is not base32, or a secret that is too short.
    """
    secret = re.sub(r"[\s-]", "", written).rstrip("=").upper()
    try:
        base64.b32decode(secret + "=" * (-len(secret) % 8))
    except ValueError:
        raise ValueError("this is no secret of an authenticator: it has to be base32") from None
    if bits(secret) < LEAST_BITS:
        raise ValueError(f"the secret has {bits(secret)} bits: {LEAST_BITS} are the least")
    if is_short(secret) and not short:
        raise ValueError(f"the secret has {bits(secret)} bits, and RFC 4226 wants {GOOD_BITS}: --short takes it anyway")
    return secret


def bits(secret: str) -> int:
    """The length of a stored secret."""
    return len(secret) * 5 // 8 * 8


def is_short(secret: str) -> bool:
    return bits(secret) < GOOD_BITS


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
        if hmac.compare_digest(_Any(secret).generate_otp(number).encode(), code.encode())
    ]
    return fits[-1] if fits else None
