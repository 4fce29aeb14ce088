"""Workers: uvicorn's supervisor, changed so that a worker that cannot start is retried with growing pauses.

uvicorn stops the whole site in that case: while the database was gone for a minute, a killed worker stopped the healthy
ones as well. A worker that ends otherwise before it serves is restarted at once, without end. The supervisor handles no
requests.
Chapter: "Going live".
"""

import time
from socket import socket

from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from app.observability import logs

log = logs.get("server")

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0


class Supervisor(Multiprocess):
    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        self.cannot_start = False  # True if no worker could ever start: the site stops with an error
        self._have_served = False
        self._serving: set[Process] = set()
        self._pause = Pause()

    def keep_subprocess_alive(self) -> None:
        for index, process in enumerate(self.processes):
            # Our copy: while it is open, the health check of a worker that just died waits for the time-out.
            process.child_conn.close()
            if process.is_alive(self.config.timeout_worker_healthcheck):
                self._remember(process)
            elif process.exitcode == STARTUP_FAILURE and not self._have_served:
                self.cannot_start = True
                self.should_exit.set()
            elif process in self._serving or self._pause.over(time.monotonic()):
                self.processes[index] = self._replacement(process)

    def _remember(self, process: Process) -> None:
        if process not in self._serving and process.is_ready(self.config.timeout_worker_healthcheck):
            self._serving.add(process)
            self._have_served = True
            self._pause = Pause()

    def _replacement(self, process: Process) -> Process:
        process.kill()  # the process may hang instead of having ended
        process.join()
        served = process in self._serving
        log.warning("worker_ended", pid=process.pid, exit_code=process.exitcode, served=served)
        if served:
            self._serving.discard(process)
        else:
            self._pause.begin(time.monotonic())
        new = Process(self.config, self.sockets)
        new.start()
        return new


class Pause:
    """The pause between restarts after failed starts; it doubles each time. Times are monotonic seconds.

    Shared by all workers: what keeps one from starting keeps the others from starting too.
    """

    def __init__(self) -> None:
        self._seconds, self._until = FIRST_PAUSE_SECONDS, 0.0

    def over(self, now: float) -> bool:
        return now >= self._until

    def begin(self, now: float) -> None:
        self._until = now + self._seconds
        self._seconds = min(2 * self._seconds, LONGEST_PAUSE_SECONDS)
