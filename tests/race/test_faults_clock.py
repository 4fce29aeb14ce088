"""A server's clock that jumps, forwards and back, under people who are signed in: nobody is taken for an attacker."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import forge
from tests.support.faults import command, session_row
from tests.support.people import make_user, start_session
from tests.support.sent import bearer
from tests.support.server import Server, running

pytestmark = [pytest.mark.race, pytest.mark.anyio]

# The worker's clock is off by as many seconds as the file says at this moment; the database's is right.
JUMPING = """\
from datetime import timedelta
from pathlib import Path
from app import db

def utcnow(right=db.utcnow):
    return right() + timedelta(seconds=int(Path({file!r}).read_text()))

db.utcnow = utcnow
"""
Jump = Callable[[int], None]


@pytest.fixture(scope="module")
def offset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("jumping") / "offset"
    file.write_text("0")
    return file


@pytest.fixture(scope="module")
def server(offset: Path) -> Iterator[Server]:
    with running(command=command(offset.parent, JUMPING.format(file=str(offset)))) as server:
        yield server


@pytest.fixture
def jump(offset: Path) -> Iterator[Jump]:
    def jump(seconds: int) -> None:
        new = offset.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(offset)

    yield jump
    jump(0)


@pytest.mark.parametrize("there", [3600, -3600, 86400, -60], ids=["hour on", "hour back", "day on", "minute back"])
async def test_clock_that_jumps_and_jumps_back_ends_no_session(server: Server, jump: Jump, there: int) -> None:
    async with server.database():
        pair = await start_session(await make_user())
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        assert (await client.get("/api/auth/me", headers=bearer(pair))).status_code == 200
        raw, generations = pair.refresh_token, []
        for seconds in (there, 0, there, 0):
            jump(seconds)
            answer = await client.post("/api/auth/refresh", json={"refresh_token": raw})
            assert answer.status_code == 200, answer.text
            raw = answer.json()["refresh_token"]
            generations.append(forge.claims(raw)["gen"])
        fresh = {"Authorization": f"Bearer {answer.json()['access_token']}"}

        assert (await client.get("/api/auth/me", headers=fresh)).status_code == 200

    assert generations == [2, 3, 4, 5]
    assert (await session_row(server, pair)).revoked_at is None


async def test_access_token_is_over_when_the_clock_says_so_and_the_session_is_not(server: Server, jump: Jump) -> None:
    async with server.database():
        pair = await start_session(await make_user())
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        jump(3600)
        late = await client.get("/api/auth/me", headers=bearer(pair))
        jump(0)
        again = await client.get("/api/auth/me", headers=bearer(pair))

    assert (late.status_code, again.status_code) == (401, 200)


def test_no_request_of_this_file_failed_inside_the_server(server: Server) -> None:
    assert "Traceback" not in server.log()
    assert "status=500" not in server.log()
