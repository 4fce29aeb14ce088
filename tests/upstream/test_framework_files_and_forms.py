"""How the plain framework serves files and reads forms: the reasons for app/web/static_files.py and app/web/bodies.py.

A test that fails says that a release has closed the hole: then the part of app/web that it names may go.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from lilya.requests import Request
from ravyn import Ravyn
from ravyn.core.config import StaticFilesConfig

pytestmark = pytest.mark.upstream


async def form_of(body: bytes, **limits: int) -> dict[str, Any]:
    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"content-type", b"application/x-www-form-urlencoded")]
    return dict(await Request({"type": "http", "method": "POST", "headers": headers}, receive).form(**limits))


async def test_form_fields_are_decoded_twice() -> None:
    """bodies.read_form"""
    assert await form_of(b"email=a%2Bb%40example.com&text=%2541") == {"email": "a b@example.com", "text": "A"}


async def test_a_limit_of_fields_is_ignored() -> None:
    """bodies.read_form"""
    body = b"&".join(b"field%d=x" % number for number in range(1000))

    assert len(await form_of(body, max_fields=10)) == 1000


STATIC: list[tuple[str, str, Callable[[httpx.Response], bool]]] = [
    ("no Cache-Control", "/static/app.css", lambda found: "cache-control" not in found.headers),
    ("an unquoted ETag", "/static/app.css", lambda found: not found.headers["etag"].startswith(('"', 'W/"'))),
    ("a link out of the folder", "/static/link.txt", lambda found: found.text == "SECRET"),
    ("%00", "/static/%00", lambda found: found.status_code == 500),
]


@pytest.mark.parametrize(("defect", "path", "shows"), STATIC, ids=[defect for defect, _, _ in STATIC])
async def test_static_files(tmp_path: Path, defect: str, path: str, shows: Callable[[httpx.Response], bool]) -> None:
    """static.Files"""
    folder = tmp_path / "static"
    folder.mkdir()
    (folder / "app.css").write_text("a{}")
    (tmp_path / "secret.txt").write_text("SECRET")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    app = Ravyn(static_files_config=StaticFilesConfig(path="/static", directory=folder))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        answer = await client.get(path)

    assert shows(answer)
