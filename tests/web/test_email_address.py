"""What is an e-mail address, and which spellings are the same one."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.settings import get_settings
from app.web.email_address import LONGEST, address, email_key, readable, without_tag

KEY = "joan@xn--bcher-kva.example"


@pytest.mark.parametrize(
    "refused",
    [
        "", " ", "joan", "joan@", "@example.com", "joan@localhost", "joan@intranet", "joan@[127.0.0.1]",
        "joan@127.0.0.1", "joan@[IPv6:::1]", '"jo an"@example.com', "jo(an)@example.com", "Joan <joan@example.com>",
        "joan@example.com.", "joan@example.com\r\nBcc: eve@example.com", "joan@example.com,eve@example.com",
        "joan@a@example.com",
        "j" * 65 + "@example.com", "joan@" + "d" * 64 + ".com", "joan@" + "d." * 125 + "com", "x" * 1_000_000,
        "jo\x00an@example.com", "joan@exam\u202eple.com", "j\u00f6an@example.com", "joan@printer.local",
        "joan@test",
    ],
)  # fmt: skip
def test_what_no_mail_can_be_sent_to_is_no_address(refused: str) -> None:
    """AC-023, AC-024"""
    with pytest.raises(ValueError, match=r"^(Enter an address such as|Use at most 254)"):
        address(refused)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (" joan@example.com ", "joan@example.com"),
        ("Joan.O'Neil+lists@Example.COM", "Joan.O'Neil+lists@example.com"),
        ("joan@b\u00fccher.example", "joan@b\u00fccher.example"),
        ("joan@xn--bcher-kva.example", "joan@b\u00fccher.example"),
        ("joan@example.test", "joan@example.test"),
    ],
)
def test_address_is_kept_as_it_was_typed_but_for_its_domain(typed: str, kept: str) -> None:
    assert address(typed) == kept


def test_address_of_a_test_domain_is_for_development_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "env", "production")

    with pytest.raises(ValueError, match="Enter an address"):
        address("joan@example.test")


# RFC 5890 section 2.3.2.4
@pytest.mark.parametrize(
    ("spelling", "key"),
    [
        ("joan@b\u00fccher.example", KEY),
        ("joan@xn--bcher-kva.example", KEY),
        (" Joan@XN--BCHER-KVA.Example\t", KEY),
        ("joan@B\u00dcCHER.EXAMPLE", KEY),
        ("joan@bu\u0308cher.example", KEY),
        ("joan@b\u00fccher\u3002example", KEY),
        ("joan@\uff42\u00fccher.example", KEY),
        ("joan@mail.b\u00fccher.example", "joan@mail.xn--bcher-kva.example"),
        ("joan@stra\u00dfe.example", "joan@xn--strae-oqa.example"),
        ("joan@\u212aelvin.example", "joan@kelvin.example"),
        ("JOAN.o'neil+Lists@Example.com", "joan.o'neil+lists@example.com"),
        ("joan@localhost", "joan@localhost"),
    ],
)
def test_spellings_of_one_address_have_one_key(spelling: str, key: str) -> None:
    assert email_key(spelling) == key
    assert email_key(key) == key


@pytest.mark.parametrize(
    "text",
    [
        "mi\u212ae@example.org", "\uff4dike@example.org", "m\u0131ke@example.org", "mike\u00ad@example.org",
        "joan@xn--zzzz.example", "joan@xn--abc-.example", "joan@xn--.example", "joan@\u2603.example",
        "joan@a_b.example", "joan@b\u00fccher.example.", "joan@b\u00fccher..example", "joan@exam\tple.com",
        "joan@" + "\u00fc" * 64 + ".example", "joan@ex\u2100mple.com", "joan@b\u00fccher.example/x",
        "jo an@example.com", "joan@\ud800.example",
    ],
)  # fmt: skip
def test_what_is_no_address_has_no_key(text: str) -> None:
    """CVE-2019-19844: the Kelvin sign folds to "k", and the key would be that of another person's address."""
    assert email_key(text) == ""


LETTERS = "a-zA-Z.-\u00e4-\u00ff\u0430-\u044f\u4e00-\u4e20"


@given(st.text() | st.from_regex(rf"\A[a-zA-Z.+]{{1,8}}@[{LETTERS}]{{1,20}}\.[a-z]{{2,3}}\Z"))
@example("joan@b\u00fccher.example")
@example("joan@\u0431\u0440.com")
@example("joan@127.0.0.1")
def test_form_that_takes_an_address_and_forms_that_look_it_up_agree(text: str) -> None:
    key = email_key(text)
    assert key.isascii()
    assert key == key.lower() == email_key(key)
    try:
        kept = address(text)
    except ValueError:
        return
    assert key
    assert email_key(kept) == key
    assert readable(key) == unicodedata.normalize("NFC", kept).lower() == readable(kept).lower()


@pytest.mark.parametrize("text", ["x" * 1_000_000, "x@" + "\u00fc" * 1_000_000, "x@" + "xn--" * 100_000, "@" * 100_000])
def test_text_that_is_too_long_is_not_even_looked_at(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("idna.encode", None)

    assert email_key(text) == ""
    assert readable(text) == text
    with pytest.raises(ValueError, match=f"at most {LONGEST}"):
        address(text)


@pytest.mark.parametrize("text", ["", "joan", "joan@example.com", "joan@xn--zzzz.example", "xn--@", "@xn--"])
def test_what_has_no_other_letters_is_shown_as_it_is(text: str) -> None:
    assert readable(text) == text


@pytest.mark.parametrize(
    ("key", "mailbox"),
    [
        ("joan@example.com", "joan@example.com"),
        ("joan+lists@example.com", "joan@example.com"),
        ("joan+a+b@example.com", "joan@example.com"),
        ("joan+@example.com", "joan@example.com"),
        ("+joan@example.com", "+joan@example.com"),
        ("j.oan@example.com", "j.oan@example.com"),
        ("joan-lists@example.com", "joan-lists@example.com"),
        ("", ""),
    ],
)
def test_mailbox_is_the_address_without_its_tag(key: str, mailbox: str) -> None:
    assert without_tag(key) == mailbox
