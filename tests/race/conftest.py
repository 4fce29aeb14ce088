"""A client and a person at the module's own `server`, a fixture of each file: each breaks its server in its own way."""

from collections.abc import AsyncIterator

import httpx
import pytest

from app.auth.tokens import TokenPair
from tests.support.faults import HANGING_SECONDS, ONCE
from tests.support.people import Person, make_user, start_session
from tests.support.server import Server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=HANGING_SECONDS, limits=ONCE) as client:
        yield client


@pytest.fixture
async def person(server: Server) -> Person:
    async with server.database():
        return await make_user(name="Robin Gone")


@pytest.fixture
async def pair(server: Server, person: Person) -> TokenPair:
    """Of a session that the server has not met yet: it would note that the tokens have arrived."""
    async with server.database():
        return await start_session(person)
