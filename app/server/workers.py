"""Workers: uvicorn's supervisor, changed so that a worker that cannot start is retried with growing pauses.

uvicorn stops the whole site in that case: while the database was gone for a minute, a killed worker stopped the healthy
ones as well. A worker that ends otherwise before it serves is restarted at once, without end. The supervisor handles no
requests.

On Linux a worker is forked from the supervisor: workers share the memory of what it has imported, and start without
importing it. After SIGHUP they are started as uvicorn does it, so that they read code and settings again.
Chapter: "Going live".
"""

import gc
import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import Callable
from socket import socket

from uvicorn import Config
from uvicorn._subprocess import subprocess_started
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import SIGNALS, Process

from app.observability import logs

log = logs.get("server")

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0


class Supervisor(Multiprocess):
    """`started` is called when all workers have been started."""

    def __init__(self, config: Config, sockets: list[socket], started: Callable[[], None] = lambda: None) -> None:
        super().__init__(config, sockets)
        self._started_all = started
        self.cannot_start = False  # True if no worker could ever start: the site stops with an error
        self._have_served = False
        self._serving: set[Process] = set()
        self._pause = Pause()
        self._forks = sys.platform == "linux"

    def init_processes(self) -> None:
        gc.collect()
        gc.freeze()  # the collector of a worker would write to every page that it looks at
        self.processes = [self._started() for _ in range(self.processes_num)]
        self._started_all()

    def restart_all(self) -> None:
        self._forks = False
        super().restart_all()

    def _started(self) -> Process:
        process = Process(self.config, self.sockets)
        if not self._forks or threading.active_count() > 1:  # a lock that another thread holds would stay locked
            process.start()
            return process
        forked = multiprocessing.get_context("fork").Process(target=_run, args=(process, self.sockets))
        process.process = forked  # type: ignore[assignment]  # uvicorn always spawns
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until the worker has handlers of its own
        try:
            process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        process.child_conn.close()  # ours, before another worker inherits it: see `keep_subprocess_alive`
        return process

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
        return self._started()


def _run(process: Process, sockets: list[socket]) -> None:
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    subprocess_started(process.config, process.target, sockets, None)


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
