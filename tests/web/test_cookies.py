"""The cookie parser, as a table."""

import pytest

from app.web import cookies

NBSP = "\u00a0".encode()


def jar(*headers: bytes) -> cookies.Jar:
    return cookies.read({"headers": [(b"cookie", header) for header in headers]})


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (b"a=1", "1"),
        (b"b=2; a=1", "1"),
        (b"b=2;a=1;\tc=3", "1"),
        (b"b=2;\ta=1", "1"),
        (b"a=", ""),
        (b";;; a=1 ;", "1"),
        (b"a=b=c", "b=c"),
        (b'a="quoted"', '"quoted"'),
        (b'a="x\\"y"', '"x\\"y"'),
        (b"a=%41%3B", "%41%3B"),
        (b"a=1; A=2", "1"),
        (b"$Version=1; a=1", "1"),
        (b"a=" + b"x" * 4096, "x" * 4096),
        (b"", None),
        (b"a", None),
        (b"=1", None),
        (b"A=1", None),
        (b"a b=1", None),
        (b"a =1", None),
        (b"a=\xc3\xa9", None),
        (b"\xc3\xa9a=1", None),
        (b"a=\x01", None),
        (b"a=1\x002", None),
        (b"a=" + b"x" * 4097, None),
    ],
)
def test_reads_exact_names_and_raw_values(header: bytes, value: str | None) -> None:
    found = jar(header)

    assert found.get("a") == value
    assert ("a" in found) == (value is not None)


@pytest.mark.parametrize(
    "headers",
    [
        [b"__Host-refresh=real; __Host-refresh=planted"],
        [b"__Host-refresh=real", b"__Host-refresh=planted"],
        [b"__Host-refresh=real; other=1; __Host-refresh=real"],
        [b"__Host-refresh=a; __Host-refresh=b; __Host-refresh=c"],
        [b"__Host-refresh=\xc3\xa9; __Host-refresh=planted"],
    ],
)
def test_a_name_that_occurs_twice_counts_as_absent(headers: list[bytes]) -> None:
    assert "__Host-refresh" not in jar(*headers)


# v5.0.0-3.3.1
@pytest.mark.parametrize("space", [NBSP, b"\xa0", b"\x1c", b"\x1f", b"\x0b", b"\x0c", b"\x85", "\u2003".encode()])
def test_a_planted_name_behind_another_space_does_not_override_the_real_one(space: bytes) -> None:
    found = jar(b"__Host-refresh=real; " + space + b"__Host-refresh=planted")

    assert found.get("__Host-refresh") == "real"


def test_several_headers_are_one_jar() -> None:
    found = jar(b"a=1", b"b=2; c=3", b"c=4")

    assert [found.get(name) for name in "abc"] == ["1", "2", None]


def test_a_browser_full_of_planted_cookies_is_read() -> None:
    """Chromium keeps 180 for a site and all its siblings, of 4096 bytes each."""
    planted = b"; ".join(b"%04d=" % number + b"x" * 4091 for number in range(179))

    assert jar(planted + b"; a=1").get("a") == "1"


# v5.0.0-15.2.2
@pytest.mark.parametrize("junk", [b"x=1;" * 5000, b";" * 5000, b"x=" + b"x" * cookies.LONGEST])
def test_more_than_a_browser_keeps_is_no_jar(junk: bytes) -> None:
    assert jar(b"a=1;" + junk).get("a") is None


def test_a_request_is_taken_apart_once_and_only_what_is_asked_for_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[bytes] = []

    class Counting:
        def fullmatch(self, value: bytes) -> bool:
            looked_at.append(value)
            return True

    monkeypatch.setattr(cookies, "_VALUE", Counting())
    scope = {"headers": [(b"cookie", b"; ".join(b"junk%d=x" % number for number in range(100)) + b"; a=1")]}

    assert cookies.read(scope) is cookies.read(scope)
    assert cookies.read(scope).get("a") == "1"
    assert looked_at == [b"1"]
