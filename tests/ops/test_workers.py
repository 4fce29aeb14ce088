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
HEALTHY = 'lanyard_request_seconds_count{method="GET",route="/healthz",status="200"}'
PATIENCE = 60


def test_figures_of_all_workers_are_added_up_and_survive_one() -> None:
    with running(workers=2, APP_METRICS_TOKEN=TOKEN) as server:
        until(server, "lanyard_workers", 2)
        before = figure(server, HEALTHY)
        for _ in range(20):
            httpx.get(f"{server.url}/healthz")  # a connection of its own each: either worker may take it

        first, second = figure(server, HEALTHY), figure(server, HEALTHY)
        os.kill(min(workers(server)), signal.SIGKILL)
        until(server, "lanyard_workers", 1)
        until(server, "lanyard_workers", 2)

        assert first == second == before + 20
        assert figure(server, HEALTHY) >= first
        assert time.time() - figure(server, "lanyard_feed_read_timestamp_seconds") < 5


def figure(server: Server, name: str) -> float:
    text = httpx.get(f"{server.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30).text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def until(server: Server, name: str, value: float) -> None:
    deadline = time.monotonic() + PATIENCE
    while figure(server, name) != value:
        assert time.monotonic() < deadline, f"{name} never became {value}"
        time.sleep(0.05)
