"""The codes of RFC 6238, and recovery codes, without any database."""

import re
from datetime import UTC, datetime

import pytest

from app.mfa import codes

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
    assert codes.step(SECRET, code, datetime.fromtimestamp(second, UTC)) == second // 30


# v5.0.0-6.5.5
@pytest.mark.parametrize(("steps", "good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_one_step_of_drift_and_no_more(steps: int, good: bool) -> None:
    shown = datetime.fromtimestamp(1111111111, UTC)

    found = codes.step(SECRET, "050471", datetime.fromtimestamp(1111111111 - steps * 30, UTC))

    assert found == (int(shown.timestamp()) // 30 if good else None)


@pytest.mark.parametrize(
    "typed",
    ["", "12345", "1234567", "12345a", "050471" + " " * 95, "a" * 24 + "-" * 77, "-12345", "+12345", "1234\u00b256"],
)
def test_what_is_no_six_digits_is_no_code(typed: str) -> None:
    assert codes.digits(typed) is None


@pytest.mark.parametrize(
    "typed",
    [
        "050471",
        " 050471\n",
        "050 471",
        "05 04 71",
        "\uff10\uff15\uff10\uff14\uff17\uff11",
        "\u0660\u0665\u0660\u0664\u0667\u0661",
        "1. 050471",
        "10) 050 471",
        "050-471",
        "050\u2013471",
        "050\u2212471",
        "\u200b050\u00a0471\ufeff",
        "\u2060 1. 050\u00ad471",
    ],
)
def test_what_stands_around_a_code_does_not_count(typed: str) -> None:
    assert codes.digits(typed) == "050471"


def test_secret_is_160_bits_in_base32() -> None:
    made = {codes.new_secret() for _ in range(100)}

    assert len(made) == 100
    assert all(re.fullmatch(r"[A-Z2-7]{32}", secret) for secret in made)


# v5.0.0-6.5.2, v5.0.0-6.5.3
def test_recovery_codes_are_beyond_guessing() -> None:
    made = [code for _ in range(100) for code in codes.new_recovery_codes()]

    assert len(set(made)) == 1000
    assert all(re.fullmatch(r"([a-z2-7]{6}-){3}[a-z2-7]{6}", code) for code in made)
    for place in range(27):
        assert len({code[place] for code in made}) == (1 if place in (6, 13, 20) else 32)


def test_recovery_code_is_known_however_it_is_typed() -> None:
    code = codes.new_recovery_codes()[0]
    other = codes.new_recovery_codes()[0]

    assert codes.digest(code) == codes.digest(f" {code.upper().replace('-', ' ')} ") != codes.digest(other)


@pytest.mark.parametrize("dash", "-\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d \u00a0\u3000\u200b\u00ad")
def test_recovery_code_is_known_as_it_is_pasted(dash: str) -> None:
    code = codes.new_recovery_codes()[0]
    wide = "".join(chr(ord(each) + 0xFEE0) for each in code)

    for pasted in (code.replace("-", dash), f"1. {code}", f"10) {code.upper()}\u200b", wide, f"\ufeff2. {wide}"):
        assert codes.digest(pasted) == codes.digest(code)


def test_picture_holds_no_style_and_no_script() -> None:
    """The policy of our pages allows neither."""
    address = codes.provisioning_uri(SECRET, "ann+<b>@example.com", "Lanyard")

    picture = codes.qr_code(address)

    assert address.startswith("otpauth://totp/Lanyard:ann%2B%3Cb%3E%40example.com?secret=")
    assert picture.startswith("<svg")
    assert re.match(r'<svg [^>]*viewBox="0 0 \d+ \d+"', picture)  # of any size, its quiet zone with it
    assert "style" not in picture
