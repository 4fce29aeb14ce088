"""The real thing: `python -m app serve` in a process of its own, on a free loopback port, with its own database."""

import asyncio
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from app import db
from tests.support import database as databases
from tests.support import guardian, secrets
from tests.support.environment import ROOT, SCRATCH
from tests.support.ports import free_port

__all__ = ["Server", "free_port", "running"]

T = TypeVar("T")
READY_SECONDS = 60
STOP_SECONDS = 10


@dataclass(frozen=True)
class Server:
    """A running server. It signs with the secret of the tests unless told, so a session started here is good there."""

    url: str  # http://localhost:PORT; the same at 127.0.0.1 is another site to a browser
    port: int
    db_url: str
    secret: str
    log_file: Path
    process: subprocess.Popen[bytes]

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def logged(self, pattern: str) -> str:
        """The log, as soon as the regular expression is found in it: an answer may arrive before its line does."""
        deadline = time.monotonic() + READY_SECONDS
        while not re.search(pattern, log := self.log()):
            assert time.monotonic() < deadline, f"not in the log: {pattern}\n{log[-4000:]}"
            time.sleep(0.02)
        return log

    @asynccontextmanager
    async def database(self) -> AsyncIterator[None]:
        """`app.db` of this process, on the server's database."""
        db.point_at(self.db_url)
        await db.connect()
        try:
            yield
        finally:
            await db.disconnect()

    def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do `await work()` on the server's database, from code that is not async: `server.run(make_user)`."""

        async def connected() -> T:
            async with self.database():
                return await work()

        with ThreadPoolExecutor(1) as pool:  # Playwright's loop occupies the main thread
            return pool.submit(asyncio.run, connected()).result()


@contextmanager
def running(
    *,
    workers: int = 1,
    command: list[str] | None = None,
    arguments: Sequence[str] = (),
    source: Path = ROOT,
    **variables: str,
) -> Iterator[Server]:
    """Start a server, wait until it answers, stop it whatever happens. `variables` go into its environment.

    `source`: the folder of the application, for another revision of it.

    Errors: AssertionError when its log holds a secret.
    """
    folder = Path(tempfile.mkdtemp(dir=SCRATCH))
    port = int(variables.get("PORT") or free_port())
    db_url = variables.pop("DATABASE_URL", "") or databases.fresh(folder)
    environment = os.environ | {"HOST": "127.0.0.1", "PORT": str(port), "DATABASE_URL": db_url, "PYTHONUNBUFFERED": "1"}
    environment.pop("PUBLIC_ORIGIN", None)
    environment |= variables
    log_file = folder / "server.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command or [sys.executable, "-m", "app", "serve", "--workers", str(workers), *arguments],
            cwd=source, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            start_new_session=True,  # so that its workers can be stopped with it
        )  # fmt: skip
    guardian.watch(process.pid)
    server = Server(f"http://localhost:{port}", port, db_url, environment["APP_SECRET_KEY"], log_file, process)
    try:
        _wait_until_ready(server)
        yield server
    finally:
        _stop(process)
        guardian.forget(process.pid)
    assert not (leaked := secrets.found_in(server.log(), server.secret)), f"in the log: {leaked}"


def _wait_until_ready(server: Server) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/healthz", timeout=5):
                return
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"/healthz answers {error.code}\n{server.log()[-4000:]}") from None
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"the server did not start (exit code {server.process.poll()})\n{server.log()[-4000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # workers that outlived it
