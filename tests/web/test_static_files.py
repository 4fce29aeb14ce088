"""Static files: hashed names for ever, nothing outside of the folder, only intended types."""

import gzip
import re
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import pytest
from lilya.exceptions import HTTPException

from app.web import static_files


class Answer(NamedTuple):
    status_code: int
    headers: dict[str, str]
    text: str


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    (folder / "icons").mkdir(parents=True)
    (folder / "app.css").write_text("a{}")
    (folder / "icons" / "x.svg").write_text("<svg/>")
    (folder / ".env").write_text("SECRET")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "x.css").write_text("SECRET")
    (folder / "memos.md").write_text("SECRET")
    (folder / "page.html").write_text("SECRET")
    (tmp_path / "secret.txt").write_text("SECRET")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "linked").symlink_to(tmp_path)
    return folder


async def ask(
    files: static_files.Files,
    path: str,
    method: str = "GET",
    if_none_match: str | None = None,
    accept_encoding: str | None = None,
) -> Answer:
    """Straight to the application: a client of HTTP would resolve dot segments itself."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asked = {b"if-none-match": if_none_match, b"accept-encoding": accept_encoding}
    headers = [(name, value.encode()) for name, value in asked.items() if value is not None]
    try:
        await files({"type": "http", "method": method, "path": unquote(path), "headers": headers}, None, send)
    except HTTPException as error:
        return Answer(error.status_code or 500, {}, "")
    start, body = sent
    answered = {name.decode(): value.decode() for name, value in start["headers"]}
    content = body.get("body", b"")
    if answered.get("content-encoding") == "gzip":
        assert int(answered["content-length"]) == len(content)
        content = gzip.decompress(content)
    return Answer(start["status"], answered, content.decode())


async def test_a_hashed_name_may_be_kept_for_ever(folder: Path) -> None:
    files = static_files.Files(folder)

    answer = await ask(files, files.url("app.css"))

    assert re.fullmatch(r"/static/app\.[0-9a-f]{16}\.css", files.url("app.css"))
    assert answer.text == "a{}"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/css; charset=utf-8"


async def test_the_name_changes_with_the_content(folder: Path) -> None:
    before = static_files.Files(folder).url("app.css")
    (folder / "app.css").write_text("b{}")

    assert static_files.Files(folder).url("app.css") != before


async def test_a_file_in_a_folder_has_a_hashed_name_too(folder: Path) -> None:
    files = static_files.Files(folder)

    answer = await ask(files, files.url("icons/x.svg"))

    assert (answer.text, answer.headers["content-type"]) == ("<svg/>", "image/svg+xml")


async def test_the_plain_name_is_served_but_asked_for_again(folder: Path) -> None:
    answer = await ask(static_files.Files(folder), "/static/app.css")

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")


async def test_another_versions_hash_is_never_kept(folder: Path) -> None:
    answer = await ask(static_files.Files(folder), "/static/app.0123456789abcdef.css")

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")


@pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', "*"])
async def test_a_known_version_is_not_sent_again(folder: Path, form: str) -> None:
    files = static_files.Files(folder)
    etag = (await ask(files, "/static/app.css")).headers["etag"]

    answer = await ask(files, "/static/app.css", if_none_match=form.format(etag))

    assert re.fullmatch('"[0-9a-f]{16}"', etag)
    assert (answer.status_code, answer.text, answer.headers["etag"]) == (304, "", etag)
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("other", ['"x"', "x", "", "W/", '"0123456789abcdef"'])
async def test_another_version_is_sent(folder: Path, other: str) -> None:
    answer = await ask(static_files.Files(folder), "/static/app.css", if_none_match=other)

    assert answer.status_code == 200


@pytest.mark.parametrize("accepted", ["gzip", "br, GZIP;q=0.5", "deflate,gzip ; q=1", "*", "x;q=0, *;q=0.001"])
async def test_text_is_compressed_for_who_accepts_it(folder: Path, accepted: str) -> None:
    files = static_files.Files(folder)
    plain = await ask(files, "/static/app.css")

    answer = await ask(files, "/static/app.css", accept_encoding=accepted)

    assert (answer.headers["content-encoding"], answer.text) == ("gzip", plain.text)
    assert answer.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    # RFC 9110 section 8.8.3.3: two encodings of one file have two strong tags.
    assert answer.headers["etag"] != plain.headers["etag"]
    again = await ask(files, "/static/app.css", if_none_match=answer.headers["etag"], accept_encoding=accepted)
    assert (again.status_code, again.text, again.headers["etag"]) == (304, "", answer.headers["etag"])
    assert (again.headers["vary"], "content-encoding" in again.headers) == ("Accept-Encoding", False)


@pytest.mark.parametrize("accepted", [None, "", "br", "gzip;q=0", "gzip; q=0.000", "*, gzip;q=0", "*;q=0", "identity"])
async def test_text_is_sent_as_it_is_to_others(folder: Path, accepted: str | None) -> None:
    answer = await ask(static_files.Files(folder), "/static/app.css", accept_encoding=accepted)

    assert ("content-encoding" in answer.headers, answer.text) == (False, "a{}")


async def test_pictures_are_sent_as_they_are(folder: Path) -> None:
    (folder / "x.png").write_text("picture")

    answer = await ask(static_files.Files(folder), "/static/x.png", accept_encoding="gzip")

    assert {"content-encoding", "vary"}.isdisjoint(answer.headers)


# v5.0.0-13.4.1, v5.0.0-13.4.3, v5.0.0-13.4.7
# v5.0.0-5.3.2
@pytest.mark.parametrize(
    "path",
    [
        "/static", "/static/", "/static//app.css", "/static/icons", "/static/icons/", "/static/./app.css",
        "/static/.env", "/static/.hidden/x.css", "/static/memos.md", "/static/page.html",
        "/static/link.txt", "/static/linked/secret.txt", "/static/app.css/", "/static/APP.css", "/static/app.css%00",
        "/static/%00", "/static/../secret.txt", "/static/%2e%2e/secret.txt", "/static/..%2fsecret.txt",
        "/static/..%5csecret.txt", "/static/icons/../../secret.txt", "/static/%2fetc/passwd", "/static//etc/passwd",
        "/static/icons/..%2fapp.css", "/static/" + "x" * 5000,
    ],
)  # fmt: skip
async def test_nothing_else_is_there(folder: Path, path: str) -> None:
    answer = await ask(static_files.Files(folder), path)

    assert answer.status_code == 404
    assert "SECRET" not in answer.text


@pytest.mark.parametrize("name", ["nothing.css", "link.txt", "memos.md", "../secret.txt", ".env"])
def test_a_template_that_names_what_is_not_there_fails(folder: Path, name: str) -> None:
    with pytest.raises(LookupError):
        static_files.Files(folder).url(name)


async def test_only_development_looks_again(folder: Path) -> None:
    fixed, rereading = static_files.Files(folder), static_files.Files(folder, reread=True)
    before = fixed.url("app.css")

    (folder / "app.css").write_text("b{}")

    assert fixed.url("app.css") == before
    assert rereading.url("app.css") != before
    assert (await ask(rereading, "/static/app.css")).text == "b{}"


async def test_development_sees_new_and_deleted_files_and_links(folder: Path, tmp_path: Path) -> None:
    files = static_files.Files(folder, reread=True)
    address = files.url("app.css")

    (folder / "new.css").write_text("n{}")
    (folder / "icons" / "x.svg").unlink()
    (folder / "app.css").unlink()
    (folder / "app.css").symlink_to(tmp_path / "secret.txt")

    assert (await ask(files, files.url("new.css"))).text == "n{}"
    assert (await ask(files, "/static/icons/x.svg")).status_code == 404
    assert (await ask(files, address)).status_code == 404


def test_development_reads_no_file_again_that_is_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three or four addresses a page: reading all files for each made a page 19 times as expensive."""
    files = static_files.Files(folder, reread=True)
    before = files.url("app.css")
    opened: list[Path] = []
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path) or read(path))  # type: ignore[func-returns-value]

    assert [files.url("app.css") for _ in range(3)] == [before] * 3
    assert opened == []
    (folder / "app.css").write_text("c{}")
    assert files.url("app.css") != before
    assert opened


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "TRACE"])
async def test_files_are_only_read(folder: Path, method: str) -> None:
    answer = await ask(static_files.Files(folder), "/static/app.css", method)

    assert answer.status_code == 405


# v5.0.0-13.4.7
def test_the_folder_of_the_project_holds_intended_types_alone() -> None:
    served = set(static_files.Files(static_files.FOLDER).found)
    present = {
        path.relative_to(static_files.FOLDER).as_posix() for path in static_files.FOLDER.rglob("*") if path.is_file()
    }

    assert served == present
