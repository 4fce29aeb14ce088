"""The codes of RFC 6238, and the QR code, without any database."""

import base64
import hmac
import re
from datetime import UTC, datetime

import pytest

from app.mfa import totp
from tests.support.clock import Clock

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # the RFC's: "12345678901234567890" in base32


# RFC 6238 appendix B, SHA-1, the last six of its eight digits.
@pytest.mark.parametrize(
    ("second", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_codes_are_those_of_the_rfc(second: int, code: str) -> None:
    assert totp.step(SECRET, code, datetime.fromtimestamp(second, UTC)) == second // 30


# v5.0.0-6.5.5
@pytest.mark.parametrize(("steps", "good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_one_step_of_drift_and_no_more(steps: int, good: bool) -> None:
    shown = datetime.fromtimestamp(1111111111, UTC)

    found = totp.step(SECRET, "050471", datetime.fromtimestamp(1111111111 - steps * 30, UTC))

    assert found == (int(shown.timestamp()) // 30 if good else None)


def test_secret_is_160_bits_in_base32() -> None:
    made = {totp.new_secret() for _ in range(100)}

    assert len(made) == 100
    assert all(re.fullmatch(r"[A-Z2-7]{32}", secret) for secret in made)


def test_picture_holds_no_style_and_no_script() -> None:
    """The policy of our pages allows neither."""
    address = totp.provisioning_uri(SECRET, "ann+<b>@example.com", "Lanyard")

    picture = totp.qr_code(address)

    assert address.startswith("otpauth://totp/Lanyard:ann%2B%3Cb%3E%40example.com?secret=")
    assert picture.startswith("<svg")
    assert re.match(r'<svg [^>]*viewBox="0 0 \d+ \d+"', picture)  # of any size, its quiet zone with it
    assert "style" not in picture


OF_ANOTHER_SYSTEM = "JBSW Y3DP EHPK 3PXP"  # 80 bits, as many systems made them


@pytest.mark.parametrize(
    ("written", "short", "stored"),
    [
        (OF_ANOTHER_SYSTEM, True, "JBSWY3DPEHPK3PXP"),
        ("jbsw-y3dp-ehpk-3pxp\n", True, "JBSWY3DPEHPK3PXP"),
        ("A" * 26 + "======", False, "A" * 26),
        ("A" * 32, False, "A" * 32),
    ],
)
def test_secret_of_another_system_is_read(written: str, short: bool, stored: str) -> None:
    assert totp.imported(written, short=short) == stored


@pytest.mark.parametrize(
    ("written", "short", "why"),
    [
        (OF_ANOTHER_SYSTEM, False, "80 bits, and RFC 4226 wants 128"),
        ("JBSWY3DPEHPK3PX", True, "72 bits: 80 are the least|base32"),
        ("", True, "0 bits"),
        ("JBSWY3DPEHPK3PX1", True, "base32"),
        ("ÄBSWY3DPEHPK3PXP", True, "base32"),
    ],
)
def test_secret_that_is_none_is_refused_with_the_reason(written: str, short: bool, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        totp.imported(written, short=short)


def test_code_of_a_short_secret_is_read(clock: Clock) -> None:
    """RFC 6238 with a key of ten bytes; the library alone refuses it."""
    secret = totp.imported(OF_ANOTHER_SYSTEM, short=True)
    digest = hmac.digest(base64.b32decode(secret), (int(clock.now.timestamp()) // 30).to_bytes(8, "big"), "sha1")
    at = digest[-1] & 15
    code = f"{int.from_bytes(digest[at : at + 4], 'big') % 2**31 % 10**6:06}"

    assert totp.step(secret, code, clock.now) == int(clock.now.timestamp()) // 30
