"""Six digits are read however they are typed or pasted; everything else is refused."""

import pytest

from app.mfa import code_input


@pytest.mark.parametrize(
    "typed",
    ["", "12345", "1234567", "12345a", "050471" + " " * 95, "a" * 24 + "-" * 77, "-12345", "+12345", "1234\u00b256"],
)
def test_what_is_no_six_digits_is_no_code(typed: str) -> None:
    assert code_input.digits(typed) is None


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
    assert code_input.digits(typed) == "050471"
