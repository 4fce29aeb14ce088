"""Several workers, one answer: whichever is asked for the figures counts for all of them, killed ones too."""

import os
import re
import signal
import time

import httpx
import pytest

from tests.support.faults import linux_only, workers
from tests.support.server import Server, running

pytestmark = [pytest.mark.race, linux_only]

TOKEN = "a token for the monitoring, 32 bytes or more"
KEYS = "/.well-known/jwks.json"  # nobody else asks for it: not the supervisor, not what waits for the server
COUNTED = f'lanyard_request_seconds_count{{method="GET",route="{KEYS}",status="200"}}'
READ = "lanyard_feed_read_timestamp_seconds"
PATIENCE = 60


def test_figures_of_all_workers_are_added_up_and_survive_one() -> None:
    with running(workers=2, APP_METRICS_TOKEN=TOKEN) as server:
        until(server, "lanyard_workers", 2)
        for _ in range(20):
            httpx.get(f"{server.url}{KEYS}", timeout=30)  # a connection of its own each: either worker may take it

        until(server, COUNTED, 20)  # a request may be counted after it was answered
        readings = {figure(server, COUNTED) for _ in range(4)}  # of either worker
        os.kill(min(workers(server)), signal.SIGKILL)
        killed_at = time.time()
        until(server, "lanyard_workers", 1)
        until(server, "lanyard_workers", 2)

        assert readings == {20}
        assert figure(server, COUNTED) == 20
        until(server, READ, killed_at, at_least=True)  # the one that took its place reads the feed


def figure(server: Server, name: str) -> float:
    text = httpx.get(f"{server.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30).text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def until(server: Server, name: str, value: float, *, at_least: bool = False) -> None:
    deadline = time.monotonic() + PATIENCE
    while (found := figure(server, name)) != value and not (at_least and found > value):
        assert time.monotonic() < deadline, f"{name} never became {value}, but {found}"
        time.sleep(0.05)
