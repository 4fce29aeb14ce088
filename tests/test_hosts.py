"""Origins as browsers spell them. `e2e/test_origins.py` asks a browser about the same table."""

import pytest

from app import hosts
from tests.support.origins import REFUSED, SPELLINGS


@pytest.mark.parametrize(("text", "expected"), SPELLINGS.items())
def test_origin_is_spelled_as_browsers_spell_it(text: str, expected: str) -> None:
    assert hosts.origin(text) == expected
    assert hosts.origin(expected) == expected


@pytest.mark.parametrize(
    "text", [*REFUSED, "", "app.example.com", "ftp://app.example.com", "https://", "x" * 1_000_000]
)
def test_what_is_more_or_less_than_an_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(must be scheme and host only|has no valid host|has no valid port)"):
        hosts.origin(text)


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("app.example.com", "app.example.com"),
        ("APP.Example.com:8443", "app.example.com"),
        ("app.example.com:", "app.example.com"),
        ("app.example.com.", "app.example.com"),
        ("app.example.com.:443", "app.example.com"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("[::1]", "[::1]"),
        ("[::1]:8000", "[::1]"),
        ("[2001:DB8::0:7]:80", "[2001:db8::7]"),
        ("192.0.2.7:80", "192.0.2.7"),
        ("::1", ""),
        ("[::1", ""),
        ("[::1]x", ""),
        ("[fe80::1%eth0]", ""),
        ("app.example.com..", ""),
        ("app.example.com:80:80", ""),
        ("app.example.com:x", ""),
        ("app.example.com:\u0664", ""),
        ("user@app.example.com", ""),
        ("app.example.com/", ""),
        ("app.example.com, evil.example", ""),
        (".", ""),
        ("", ""),
        (":80", ""),
        ("app.example.com:100000", ""),
        ("a" * 1_000_000, ""),
    ],
)
def test_host_that_is_requested(header: str, host: str) -> None:
    assert hosts.requested(header) == host


@pytest.mark.parametrize("host", ["localhost", "two.localhost", "127.0.0.1", "127.1.2.3", "[::1]"])
def test_this_machine(host: str) -> None:
    assert hosts.is_loopback(host)


@pytest.mark.parametrize(
    "host", ["", "localhost.example", "notlocalhost", "127.0.0.1.example", "192.168.1.7", "[::2]", "0.0.0.0"]
)
def test_another_machine(host: str) -> None:
    assert not hosts.is_loopback(host)
