"""Recovery codes: random, and accepted however they are typed or pasted."""

import re

import pytest

from app.mfa import recovery_codes


# v5.0.0-6.5.2, v5.0.0-6.5.3
def test_recovery_codes_are_beyond_guessing() -> None:
    made = [code for _ in range(100) for code in recovery_codes.new_codes()]

    assert len(set(made)) == 1000
    assert all(re.fullmatch(r"([a-z2-7]{6}-){3}[a-z2-7]{6}", code) for code in made)
    for place in range(27):
        assert len({code[place] for code in made}) == (1 if place in (6, 13, 20) else 32)


def test_recovery_code_is_known_however_it_is_typed() -> None:
    code = recovery_codes.new_codes()[0]
    other = recovery_codes.new_codes()[0]

    retyped = f" {code.upper().replace('-', ' ')} "
    assert recovery_codes.digest(retyped) == recovery_codes.digest(code) != recovery_codes.digest(other)


@pytest.mark.parametrize("dash", "-\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d \u00a0\u3000\u200b\u00ad")
def test_recovery_code_is_known_as_it_is_pasted(dash: str) -> None:
    code = recovery_codes.new_codes()[0]
    wide = "".join(chr(ord(each) + 0xFEE0) for each in code)

    for pasted in (code.replace("-", dash), f"1. {code}", f"10) {code.upper()}\u200b", wide, f"\ufeff2. {wide}"):
        assert recovery_codes.digest(pasted) == recovery_codes.digest(code)
