"""Runs tests in a process of their own, forked from one that has imported everything but the application."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import import_module
from typing import Any

import pytest

from tests.mutants.altered import ENTERED, Altered, Entered, report_entries
from tests.support.environment import TEMPLATE

OPTIONS = [
    "-q",
    "--no-header",
    "--tb=no",
    "-p",
    "no:cacheprovider",
    "-o",
    "faulthandler_timeout=0",
    "-W",
    "ignore::pytest.PytestAssertRewriteWarning",
]
START, TIME = "start", "time"


class Chosen:
    """For pytest: these tests alone, in this order; and which failed, START where a file could not be read."""

    def __init__(self, tests: Iterable[str] = ()) -> None:
        self.place = {test: number for number, test in enumerate(tests)}
        self.failed: list[str] = []

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        if self.place:
            items[:] = sorted((i for i in items if i.nodeid in self.place), key=lambda i: self.place[i.nodeid])

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append(report.nodeid)

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self.failed.append(START)


class Entries:
    """For pytest: which functions each test enters, and how long it takes."""

    def __init__(self, entered: Entered) -> None:
        self.now = entered.now
        self.of: dict[str, Any] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: Any) -> Any:
        self.now.clear()
        began = time.process_time()
        done = yield
        self.of[item.nodeid] = {"seconds": round(time.process_time() - began, 3), "enters": sorted(self.now)}
        return done


def entries(paths: list[str], files: list[str]) -> dict[str, Any]:
    """Of the tests in these files: test -> {"seconds" of CPU time, "enters": ["app/auth/tokens.py read"]}.

    One that fails with nothing changed tells no mutant from the code, and is left out. Errors: RuntimeError.
    """

    def work() -> Any:
        seen, chosen = Entries(entered := Entered()), Chosen()
        Altered(paths, report_entries, **{ENTERED: entered}).install()
        pytest.main([*OPTIONS, *files], plugins=[seen, chosen])
        return {"tests": seen.of, "failed": chosen.failed}

    found = _apart(work, loud=True)
    if not found or START in found["failed"]:
        raise RuntimeError("the tests do not run")
    return {test: each for test, each in found["tests"].items() if test not in found["failed"]}


def prepare(files: list[str]) -> None:
    """Import what these tests need that is not ours, and migrate a database: what each fork would do anew."""

    def work() -> list[str]:
        from tests.support import database

        database._template()
        pytest.main([*OPTIONS, "--collect-only", *files])
        return [name for name in sys.modules if name.partition(".")[0] not in ("app", "tests", "e2e", "__main__")]

    for name in _apart(work) or []:
        with suppress(Exception):
            import_module(name)


def first_failure(altered: Altered, tests: list[str], seconds: float) -> str:
    """The first of these tests to fail, in their order; "" where none does; START where nothing runs, TIME, no end."""

    def work() -> str:
        signal.alarm(int(seconds) + 1)  # ends this process
        altered.install()
        database: Any = import_module("tests.support.database")
        database._template = lambda: TEMPLATE  # see `prepare`
        chosen = Chosen(tests)
        code = pytest.main([*OPTIONS, "-x", *dict.fromkeys(test.partition("::")[0] for test in tests)], [chosen])
        return chosen.failed[0] if chosen.failed else "" if code == 0 else START

    said = _apart(work)
    return TIME if said is None else str(said)


def _apart(work: Callable[[], Any], *, loud: bool = False) -> Any:
    """What `work` returns in a fork of this process; None where it ended without a word."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if not loud:
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, 1)
                os.dup2(nowhere, 2)
            with os.fdopen(writing, "w") as file:
                json.dump(work(), file)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        said = file.read()
    os.waitpid(child, 0)
    return json.loads(said) if said else None
