"""Every public page has a description of its own: search engines and link previews show it."""

import re
from html import unescape

import pytest

from app.main import route_table
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio

PUBLIC = sorted(
    row["path"]
    for row in route_table()
    if row["method"] == "GET" and row["path"] and not row["path"].startswith(("/dev", "/api"))
)


async def test_public_pages_have_descriptions_of_their_own(client: Visitor, database: str) -> None:
    described: dict[str, str] = {}

    for path in PUBLIC:
        answer = await client.visit(path) if "{" not in path else None
        if answer is None or answer.status_code != 200 or "text/html" not in answer.headers["content-type"]:
            continue
        found = re.findall(r'<meta name="description" content="([^"]+)">', answer.text)
        assert len(found) == 1, path
        assert 30 <= len(unescape(found[0])) <= 160, (path, found[0])
        described[path] = found[0]

    assert {"/", "/login", "/register", "/forgot-password"} <= described.keys()
    assert len(set(described.values())) == len(described), described
