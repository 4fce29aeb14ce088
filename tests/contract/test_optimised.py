"""`python -O` strips asserts; the framework guards with some. Here every response stays the same."""

import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.support import forge
from tests.support.people import make_user, start_session
from tests.support.server import Server, running

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(command=[sys.executable, "-O", "-m", "app", "serve"]) as server:
        yield server


@pytest.mark.anyio
async def test_every_response_is_the_same_without_asserts(server: Server) -> None:
    async with server.database():
        person = await make_user()
        pair = await start_session(person)

    async with httpx.AsyncClient(base_url=server.url) as client:
        for token, status in (
            (pair.access_token, 200),
            (pair.refresh_token, 401),
            (forge.expired(pair.access_token), 401),
            (forge.resign(pair.access_token, key="x" * 40), 401),
            (forge.resign(pair.access_token, token_type="refresh"), 401),
            ("x", 401),
        ):
            answer = await client.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == status
        bearer = {"Authorization": f"Bearer {pair.access_token}", "Accept": "text/html"}
        assert (await client.get("/admin/users", headers=bearer)).status_code == 403
        assert (await client.get("/dashboard", headers={"Accept": "text/html"})).status_code == 303
        assert (await client.post("/api/auth/login", json={"email": person.email, "password": "x"})).status_code == 401
        assert (await client.post("/login", headers={"Origin": "https://evil.example"})).status_code == 403
