"""The command `shell`: a Python prompt with the models and the database. `await` works at the prompt.

Each line runs on one event loop, which rests while somebody types: no background task of the site runs here.
"""

import ast
import asyncio
import code
import inspect
import sys
from importlib import import_module
from types import CodeType, FunctionType
from typing import Any

import sqlalchemy as sa

from app import db
from app.settings import get_settings


def run() -> int:
    """Returns the exit code: 1 if the database does not answer."""
    import_module("app.main")  # registers the features, and so their models
    models = {name: model for name, model in db.registry.models.items() if model.__module__.startswith("app.")}
    with asyncio.Runner() as runner:
        try:
            runner.run(db.connect())
            runner.run(db.fetch_value(sa.select(sa.literal(1))))
        except (db.Unavailable, OSError) as error:
            print(f"lanyard: the database that DATABASE_URL names does not answer: {error}", file=sys.stderr)
            return 1
        try:
            banner = f"{get_settings().env}, {db.database.target}. db, sa, {', '.join(sorted(models))}. Ctrl-D leaves."
            Console({"db": db, "sa": sa, **models}, runner).interact(banner, exitmsg="")
        finally:
            runner.run(db.disconnect())
    return 0


class Console(code.InteractiveConsole):
    """A console whose lines may await."""

    def __init__(self, names: dict[str, Any], runner: asyncio.Runner) -> None:
        super().__init__(names)
        self.names, self.runner = names, runner
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT

    def runcode(self, compiled: CodeType) -> None:
        try:
            result = FunctionType(compiled, self.names)()
            if inspect.iscoroutine(result):
                self.runner.run(result)
        except SystemExit:
            raise
        except BaseException:  # Ctrl-C ends the line, not the prompt
            self.showtraceback()
