"""What may come in: the size, the time and the packing of a body, the size of headers, and the bytes of cookies."""

from typing import Any

import anyio
import pytest

from app.web import bodies, request_limits
from tests.support.visitor import Visitor
from tests.web import assembled


async def chunks(count: int, size: int = 1024) -> Any:
    for _ in range(count):
        yield b"x" * size


@pytest.mark.parametrize("path", ["/optional", "/memos"])
async def test_a_chunked_body_over_the_limit_is_413(site: Visitor, path: str) -> None:
    types = {"/optional": "application/json", "/memos": "application/x-www-form-urlencoded"}

    answer = await site.post(path, content=chunks(65), headers={"Content-Type": types[path]})

    assert answer.status_code == 413


async def test_a_body_of_exactly_the_limit_is_read(site: Visitor) -> None:
    body = b'{"name": "' + b"x" * (assembled.LIMIT - 12) + b'"}'

    answer = await site.post("/optional", content=body, headers={"Content-Type": "application/json"})

    assert (len(body), answer.status_code) == (assembled.LIMIT, 422)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("size", "status"), [(0, 200), (1, 413)])
async def test_who_is_not_known_has_less_to_send(site: Visitor, chunked: bool, size: int, status: int) -> None:
    body = b"a=" + b"x" * (assembled.ANONYMOUS_LIMIT - 2 + size)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}

    async def pieces() -> Any:
        yield body

    answer = await site.post("/sign-in", content=pieces() if chunked else body, headers=kind)

    assert answer.status_code == status


@pytest.mark.parametrize("path", ["/seen?q=" + "%41" * 6000, "/" + "a" * 17_000])
async def test_an_address_without_end_is_414(site: Visitor, path: str) -> None:
    assert (await site.get(path)).status_code == 414


@pytest.mark.parametrize("length", [b"-1", b"+1", b"1_0", b"abc", b""])
async def test_a_length_that_is_no_number_is_400(site: Visitor, length: bytes) -> None:
    answer = await site.post("/optional", content=b"", headers={"Content-Length": length})

    assert answer.status_code == 400


async def test_a_length_of_thousands_of_digits_is_413(site: Visitor) -> None:
    answer = await site.post("/optional", content=b"", headers={"Content-Length": b"9" * 5000})

    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("encoding", "status"), [("gzip", 415), ("br", 415), ("GZIP, identity", 415), ("identity", 200)]
)
async def test_a_packed_body_is_415(site: Visitor, encoding: str, status: int) -> None:
    answer = await site.post("/optional", headers={"Content-Encoding": encoding})

    assert answer.status_code == status


async def test_a_body_that_does_not_come_is_408(site: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_limits, "BODY_SECONDS", 0.02)

    async def never() -> Any:
        yield b"{"
        await anyio.sleep_forever()

    answer = await site.post("/optional", content=never(), headers={"Content-Type": "application/json"})

    assert answer.status_code == 408


async def test_cookies_planted_by_the_kilobyte_lock_nobody_out(site: Visitor) -> None:
    junk = "; ".join(f"junk{number}={'x' * 4000}" for number in range(100))

    answer = await site.get("/seen", headers={"Cookie": f"{junk}; ours=1"})

    assert answer.json()["cookies"]["ours"] == "1"


@pytest.mark.parametrize(
    "planted", [b"\xa0ours=x", b"\xc2\xa0ours=x", b"\xff\xfeours=x", b"ours\xff=x", b"\xed\xa0\x80=x"]
)
async def test_bytes_in_a_planted_cookie_lock_nobody_out(site: Visitor, planted: bytes) -> None:
    answer = await site.get("/seen", headers={"Cookie": b"ours=1; " + planted})

    assert answer.json()["cookies"] == {"ours": "1"}


async def test_a_path_that_no_server_should_hand_over_is_400(web_app: Any) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "scheme": "https", "path": "/\udcff", "query_string": b"", "root_path": "",
        "headers": [(b"host", b"testserver")],
    }  # fmt: skip
    await web_app(scope, None, send)

    assert sent[0]["status"] == 400


async def test_headers_without_end_are_431(site: Visitor) -> None:
    answer = await site.get("/seen", headers=[("X", "x" * 1000)] * 40)

    assert answer.status_code == 431


async def test_a_content_type_without_end_is_not_taken_apart(site: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parser of the standard library counts quotes again at each semicolon."""
    taken_apart: list[Any] = []
    monkeypatch.setattr(bodies, "Message", lambda: taken_apart.append(1))

    answer = await site.post("/optional", content=b"{}", headers={"Content-Type": "a/b; x=" + "y" * 300})

    assert (answer.status_code, taken_apart) == (415, [])


@pytest.mark.parametrize(
    "body", [b"[" + b"{}," * 20_000 + b"{}]", b"[" + b"1," * 32_000 + b"1]", b'{"a": [' + b"[]," * 20_000 + b"[]]}"]
)
async def test_json_of_parts_alone_is_400(site: Visitor, monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    monkeypatch.setattr(bodies, "PARTS", 30_000)  # the body of this site is a sixteenth
    read: list[str] = []
    monkeypatch.setattr(bodies, "_json", read.append)

    answer = await site.post("/optional", content=body, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["detail"], read) == (400, bodies.TOO_MUCH, [])


async def test_an_object_of_names_alone_is_400(site: Visitor) -> None:
    answer = await site.post("/optional", json={f"name{number}": 1 for number in range(bodies.FIELDS + 1)})

    assert (answer.status_code, answer.json()["detail"]) == (400, bodies.TOO_MUCH)
    assert "errors" not in answer.json()


async def test_a_part_of_a_form_that_is_all_head_is_400(site: Visitor) -> None:
    head = b'Content-Disposition: form-data; name="title"\r\n' + b"\r\n".join([b"X: y"] * 300)
    body = b"--x\r\n" + head + b"\r\n\r\ntext\r\n--x--"

    answer = await site.post("/memos", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})

    assert answer.status_code == 400
