"""The disk under the log is full: not a line can be written, and every visitor is served all the same."""

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.faults import linux_only
from tests.support.people import PASSWORD, make_user
from tests.support.server import Server, running

pytestmark = [pytest.mark.race, linux_only]


@pytest.fixture
def server() -> Iterator[Server]:
    """Its standard error is a device that takes nothing."""
    assert Path("/dev/full").is_char_device()
    with running(command=["sh", "-c", f"exec {sys.executable} -m app serve 2>/dev/full"]) as server:
        yield server


def test_site_goes_on_without_its_log(server: Server) -> None:
    person = server.run(make_user)
    login = {"email": person.email, "password": PASSWORD}

    with httpx.Client(base_url=server.url, timeout=30) as client:
        statuses = [
            client.get("/").status_code,
            client.post("/api/auth/login", json=login).status_code,
            client.post("/api/auth/login", json=login | {"password": "wrong and long enough"}).status_code,
            client.get("/nothing").status_code,
            client.get("/readyz").status_code,
        ]

    assert statuses == [200, 200, 401, 404, 200]
