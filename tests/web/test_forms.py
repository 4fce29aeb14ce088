"""Forms: strings only, one value for each field, the typed values kept, and nothing done as somebody else."""

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from app.web import bodies, forms, validation_messages
from app.web.forms import Line, Lines
from tests.support.visitor import Visitor
from tests.web.assembled import PEOPLE

URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}


# v5.0.0-1.1.1
async def test_fields_are_text_exactly_as_typed(site: Visitor) -> None:
    answer = await site.post("/memos", data={"title": "1e5", "body": "a+b c%41&=é %253C &lt;"})

    assert answer.json()["data"] == {"title": "1e5", "body": "a+b c%41&=é %253C &lt;"}


# v5.0.0-15.3.5
@pytest.mark.parametrize("typed", ["12345678", "true", "null", '{"a":1}', "[1]", "1.0"])
async def test_what_looks_like_json_stays_text(site: Visitor, typed: str) -> None:
    answer = await site.post("/memos", data={"title": typed})

    assert answer.json()["data"]["title"] == typed


async def test_multipart_text_fields_are_read_like_the_others(site: Visitor) -> None:
    parts = {"title": (None, "a+b c%41"), "body": (None, "one\r\ntwo\r\n--x")}

    answer = await site.post("/memos", files=parts)

    assert answer.json()["data"] == {"title": "a+b c%41", "body": "one\ntwo\n--x"}


# v5.0.0-2.2.2
async def test_errors_come_with_the_values_that_were_typed(site: Visitor) -> None:
    answer = await site.post("/memos", data={"title": " " + "x" * 21, "body": "kept"})

    assert answer.json() == {
        "values": {"title": " " + "x" * 21, "body": "kept"},
        "errors": {"title": "Use at most 20 characters."},
        "data": None,
    }


async def test_a_missing_field_is_named_and_shown_empty(site: Visitor) -> None:
    answer = await site.post("/memos", data={"body": "x"})

    assert answer.json()["values"]["title"] == ""
    assert answer.json()["errors"] == {"title": "This is required."}


# v5.0.0-15.3.3
async def test_fields_that_the_form_does_not_have_are_dropped(site: Visitor) -> None:
    answer = await site.post("/memos", data={"title": "x", "owner_id": "1", "role": "admin"})

    assert answer.json()["values"] == {"title": "x", "body": ""}
    assert answer.json()["data"] == {"title": "x", "body": ""}


# v5.0.0-15.3.7
@pytest.mark.parametrize("content", [b"title=a&title=b", b"title=a&titl%65=b", b"as=&as=&title=a"])
async def test_a_field_sent_twice_is_refused(site: Visitor, content: bytes) -> None:
    answer = await site.post("/memos", content=content, headers=URLENCODED)

    assert answer.status_code == 400


@pytest.mark.parametrize(
    "content",
    [
        b"title=%ff",
        b"title=\xff",
        b"%ff=x",
        b"title=%ed%a0%80",
        b"&".join(b"f%d=x" % n for n in range(bodies.FIELDS + 1)),
    ],
    ids=lambda content: repr(content[:16]),
)
async def test_a_form_that_is_no_text_or_has_no_end_is_400(site: Visitor, content: bytes) -> None:
    answer = await site.post("/memos", content=content, headers=URLENCODED)

    assert answer.status_code == 400


def multipart(*parts: bytes, end: bytes = b"\r\n--x--\r\n") -> bytes:
    return b"".join(b"\r\n--x\r\n" + part for part in parts)[2:] + end


TITLE = b'Content-Disposition: form-data; name="title"\r\n\r\n'


# v5.0.0-5.2.1, v5.0.0-5.2.2, v5.0.0-5.3.1: no file is ever taken
@pytest.mark.parametrize(
    "content",
    [
        b"nothing",
        multipart(TITLE + b"a", end=b""),
        multipart(TITLE + b"a", end=b"\r\n--x"),
        multipart(TITLE + b"a", TITLE + b"b"),
        multipart(TITLE + b"\xff"),
        multipart(b"no header"),
        multipart(b"\r\na"),
        multipart(b'Content-Disposition: form-data\r\n\r\na'),
        multipart(b'Content-Disposition: form-data; name="title"; filename="a.txt"\r\n\r\na'),
        multipart(b'Content-Disposition: form-data; name="title"; filename*=utf-8\'\'a.txt\r\n\r\na'),
        multipart(b'Content-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name="b"\r\n\r\na'),
        multipart(*[b'Content-Disposition: form-data; name="f%d"\r\n\r\na' % n for n in range(bodies.FIELDS + 1)]),
    ],
    ids=range(12),
)  # fmt: skip
async def test_multipart_that_is_not_text_fields_alone_is_400(site: Visitor, content: bytes) -> None:
    answer = await site.post("/memos", content=content, headers={"Content-Type": "multipart/form-data; boundary=x"})

    assert answer.status_code == 400


@pytest.mark.parametrize("boundary", ["", "; boundary=", "; boundary=" + "x" * 71, '; boundary="a\\"b"'])
async def test_multipart_needs_a_proper_boundary(site: Visitor, boundary: str) -> None:
    headers = {"Content-Type": f"multipart/form-data{boundary}"}

    answer = await site.post("/memos", content=multipart(TITLE + b"a"), headers=headers)

    assert answer.status_code == 400


@pytest.mark.parametrize(
    "content_type", [None, "application/json", "text/plain", "application/x-www-form-urlencoded; charset=utf-16"]
)
async def test_a_body_that_is_no_form_is_415(site: Visitor, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}

    answer = await site.post("/memos", content=b"title=a", headers=headers)

    assert answer.status_code == 415


async def test_a_form_shown_to_somebody_else_does_nothing(site: Visitor) -> None:
    form = {"title": "x", "as": str(PEOPLE[b"ann"])}

    answer = await site.post("/memos", data=form, headers={"X-Person": "bob"})

    assert answer.status_code == 409
    assert "Nothing was done" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("shown_to", "person", "status"),
    [("ann", "ann", 200), ("", None, 200), ("ann", None, 409), ("", "ann", 409), (None, "ann", 200), (None, None, 200)],
)
async def test_the_form_counts_as_posted_by_whom_it_was_shown_to(
    site: Visitor, shown_to: str | None, person: str | None, status: int
) -> None:
    hidden = {} if shown_to is None else {"as": str(PEOPLE[shown_to.encode()]) if shown_to else ""}
    headers = {"X-Person": person} if person else {}

    answer = await site.post("/memos", data={"title": "x", **hidden}, headers=headers)

    assert answer.status_code == status


async def test_the_login_form_may_be_posted_by_anybody(site: Visitor) -> None:
    answer = await site.post("/sign-in", data={"as": ""}, headers={"X-Person": "ann"})

    assert answer.status_code == 200


def check(kind: Any, text: Any) -> str:
    return TypeAdapter(Annotated[str, kind]).validate_python(text)


FLAG = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Ann", "Ann"),
        ("  Ann \t", "Ann"),
        ("Åsa Ö'Brien-李", "Åsa Ö'Brien-李"),
        ("e\u0301" * 5, "e\u0301" * 5),
        ("نور", "نور"),
        ("\U0001f469\U0001f3fd\u200d\U0001f680", "\U0001f469\U0001f3fd\u200d\U0001f680"),
        (FLAG, FLAG),
        ("<b>&amp;", "<b>&amp;"),
        ("x" * 20, "x" * 20),
        (" " + "x" * 20 + " ", "x" * 20),
    ],
)
def test_a_line_is_trimmed_and_otherwise_kept(text: str, kept: str) -> None:
    assert check(Line(1, 20), text) == kept


# v5.0.0-2.2.1, v5.0.0-1.3.3
@pytest.mark.parametrize(
    "text",
    [
        "a\x00b", "\x07", "a\nb", "a\rb", "a\tb", "a\x1bb", "a\x7fb", "a\x85b", "a\x9bb", "a\u2028b", "a\u2029b",
        "a\u202eb", "a\u202ab", "a\u2066b", "a\u2069b", "Z" + "\u0301" * 9, "a" + "\u200d" * 9,
        "", " ", "\u00a0", "\u200b", "\u200d\u200d", "\u0301", "x" * 21,
    ],
)  # fmt: skip
def test_a_line_with_characters_that_do_harm_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        check(Line(1, 20), text)


@pytest.mark.parametrize("value", [1, 1.5, True, None, b"x", ["x"], {"a": 1}, "\ud800"])
def test_only_text_is_text(value: Any) -> None:
    with pytest.raises(ValidationError):
        check(Line(1, 20), value)


# v5.0.0-1.3.12
def test_a_text_far_too_long_is_refused_before_anything_is_done_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[tuple[Any, ...]] = []
    for name in ("normal", "refused"):
        monkeypatch.setattr(Line, name, lambda *given: done.append(given))
    monkeypatch.setattr(forms, "_longest_pile", done.append)

    with pytest.raises(ValidationError, match="at most 20"):
        check(Line(1, 20), "\u0301" * 100_000)

    assert done == []


def test_an_empty_line_may_be_allowed() -> None:
    assert check(Line(0, 20), "  ") == ""


def test_lines_keep_line_ends_and_tabs() -> None:
    assert check(Lines(0, 20), " one\r\ntwo\rthree\n\tx ") == "one\ntwo\nthree\n\tx"


@pytest.mark.parametrize("text", ["a\x00b", "a\x0bb", "a\u202eb", "a\u2028b", "x" * 21])
def test_lines_refuse_the_same_characters(text: str) -> None:
    with pytest.raises(ValidationError):
        check(Lines(0, 20), text)


def test_a_line_end_counts_as_one_character_as_it_does_in_the_browser() -> None:
    assert check(Lines(0, 3), "a\r\nb") == "a\nb"


def test_the_message_is_ours() -> None:
    class Model(BaseModel):
        name: Annotated[str, Line(3, 20)]

    with pytest.raises(ValidationError) as caught:
        Model(name="x")

    assert validation_messages.of(caught.value) == [{"field": "name", "message": "Use at least 3 characters."}]
