"""Workers that end: one that served comes back at once, one that cannot start is tried now and then, the rest serve."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from app.server.workers import FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, Pause
from tests.support.environment import ROOT
from tests.support.faults import linux_only, workers_of
from tests.support.server import free_port

PATIENCE_SECONDS = 60

# Workers that start in no time, write down that they do, and fail in the way that stands in the file `broken`.
PROGRAM = """\
import os, socket, sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
folder = Path(__file__).parent

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        with (folder / "starts").open("a") as starts:
            print(time.monotonic(), file=starts)
        how = (folder / "broken").read_text() if (folder / "broken").exists() else ""
        if how == "exits":
            os._exit(1)
        await receive()
        await send({{"type": "lifespan.startup.failed" if how else "lifespan.startup.complete"}})
        await receive()
        await send({{"type": "lifespan.shutdown.complete"}})
    else:
        await send({{"type": "http.response.start", "status": 200, "headers": []}})
        await send({{"type": "http.response.body", "body": str(os.getpid()).encode()}})

if __name__ == "__main__":
    import uvicorn
    from app.server.workers import Supervisor
    listener = socket.create_server(("127.0.0.1", {port}))
    supervisor = Supervisor(uvicorn.Config("small:app", workers=2), [listener])
    supervisor.run()
    sys.exit(7 if supervisor.cannot_start else 0)
"""


class Site:
    def __init__(self, folder: Path) -> None:
        self.broken, self._starts, self._port = folder / "broken", folder / "starts", free_port()
        program = folder / "small.py"
        program.write_text(PROGRAM.format(root=str(ROOT), port=self._port))
        self.process = subprocess.Popen([sys.executable, str(program)])

    def starts(self) -> list[float]:
        return [float(line) for line in self._starts.read_text().splitlines()] if self._starts.exists() else []

    def kill_one(self) -> float:
        """Returns when."""
        os.kill(min(workers_of(self.process.pid)), signal.SIGKILL)
        return time.monotonic()

    def answers(self) -> bool:
        with suppress(httpx.TransportError):  # the one that was killed may have taken the question along
            return httpx.get(f"http://127.0.0.1:{self._port}/", timeout=5).status_code == 200
        return False


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.process.terminate()
    site.process.wait(PATIENCE_SECONDS)


@pytest.fixture
def serving(site: Site) -> Site:
    until(lambda: len(site.starts()) == 2 and site.answers())
    return site


@linux_only
def test_killed_worker_is_replaced_by_one(serving: Site) -> None:
    serving.kill_one()

    until(lambda: len(serving.starts()) == 3 and len(workers_of(serving.process.pid)) == 2)

    until(serving.answers)


@linux_only
@pytest.mark.parametrize("how", ["fails", "exits"])
def test_worker_that_cannot_start_is_tried_now_and_then_while_the_other_one_serves(serving: Site, how: str) -> None:
    serving.broken.write_text(how)
    killed = serving.kill_one()
    until(serving.answers)

    until(lambda: len(serving.starts()) == 2 + 5)

    pauses = (1 + 2 + 4) * FIRST_PAUSE_SECONDS  # the first two follow at once: the killed one served
    assert serving.starts()[-1] >= killed + pauses
    assert serving.answers()
    assert serving.process.poll() is None
    serving.broken.unlink()
    until(lambda: len(workers_of(serving.process.pid)) == 2 and serving.answers())


@linux_only
def test_workers_are_forked_until_a_hangup_asks_for_new_ones(serving: Site) -> None:
    def interpreters() -> list[bool]:
        return [is_new_interpreter(pid) for pid in workers_of(serving.process.pid)]

    assert interpreters() == [False, False]

    serving.process.send_signal(signal.SIGHUP)
    until(lambda: interpreters() == [True, True])
    serving.kill_one()

    until(lambda: len(serving.starts()) == 5 and interpreters() == [True, True])
    until(serving.answers)


def test_site_that_never_served_stops_and_says_that_it_failed(tmp_path: Path) -> None:
    (tmp_path / "broken").write_text("fails")

    assert Site(tmp_path).process.wait(PATIENCE_SECONDS) == 7


def test_pause_doubles_up_to_its_limit() -> None:
    pause, now, lengths = Pause(), 1000.0, []
    assert pause.over(now)

    for _ in range(8):
        pause.begin(now)
        length = next(length for length in range(100) if pause.over(now + length))
        lengths.append(length)
        now += length

    assert lengths == [1, 2, 4, 8, 16, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]


def is_new_interpreter(pid: int) -> bool:
    """Started by uvicorn: it has imported the code itself."""
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:  # gone meanwhile
        return False


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
