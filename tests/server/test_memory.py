"""Threads share one heap, so a worker gives back what hashing passwords took."""

import ctypes
import os
import subprocess
import sys

import pytest

from app.server import memory
from tests.support.environment import ROOT

pytestmark = [
    pytest.mark.skipif(
        sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_stats"),
        reason="glibc alone has heaps for threads",
    ),
]

# Four threads take memory at the same time; glibc lists its heaps on standard error.
PROGRAM = """if True:
    import ctypes, sys, threading
    from app.server import memory
    if "shared" in sys.argv:
        memory.share_one_heap()
    together = threading.Barrier(4)

    def hold():
        together.wait()
        kept = ctypes.create_string_buffer(100_000)
        together.wait()

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ctypes.CDLL(None).malloc_stats()
"""


def heaps(*arguments: str, **variables: str) -> int:
    inherited = {name: value for name, value in os.environ.items() if name != memory.VARIABLE}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=ROOT, env=inherited | variables, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return sum(line.startswith("Arena ") for line in done.stderr.splitlines())


def test_threads_share_one_heap() -> None:
    assert heaps() > 1  # or this test would show nothing
    assert heaps("shared") == 1


def test_processes_that_are_started_later_share_one_heap_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(memory.VARIABLE, raising=False)

    memory.share_one_heap()

    assert heaps(**{memory.VARIABLE: os.environ[memory.VARIABLE]}) == 1


def test_operator_may_decide_otherwise() -> None:
    assert heaps("shared", **{memory.VARIABLE: "8"}) > 1
