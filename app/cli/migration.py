"""The command `migration`: write a migration from the models, by Alembic's autogenerate on Edgy's metadata.

The models are compared with what the migrations make, in an empty SQLite file that is thrown away, so the developer's
own database plays no part. The result runs on SQLite and PostgreSQL: it names the types of the models, not of a file.
What no comparison can see is said: a rename, a column that stored rows have no value for, a changed CHECK or default.
"""

import asyncio
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import sqlalchemy as sa
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from app import db
from app.db import schema
from app.db.columns import AwareUTC

# What SQLite has a statement for; for all else Alembic makes the table anew there (`batch_alter_table`).
PLAIN = (ops.AddColumnOp, ops.CreateIndexOp, ops.DropIndexOp)
NOISE = (
    (re.compile(r"^ *# ###.*\n?", re.MULTILINE), ""),
    (re.compile(r",\s*autoincrement=False\b"), ""),
    (re.compile(r", (?:unique=False|schema=None)\)"), ")"),
    (re.compile(r"\b(?:length|precision)=|(?<=, )scale="), ""),
    (re.compile(r"\bbatch_op\b"), "table"),
)


def migration(message: str, dry_run: bool = False) -> int:
    """Write `app/migrations/versions/NNNN_message.py`. Returns the exit code: 1 if there is nothing to write."""
    slug = re.sub(r"\W+", "_", message.lower()).strip("_")
    if not re.fullmatch(r"[a-z][a-z0-9_]{2,59}", slug):
        return _refuse('say what it does in a few words of letters and digits, such as "add projects"', 2)
    found = compared()
    if not found.upgrade_ops or found.upgrade_ops.is_empty():
        return _refuse("the models declare what the migrations make already: nothing to write", 1)
    print("\n".join(f"  {line}" for line in described(found)))
    for warning in warnings(found):
        print(f"  look: {warning}")
    if dry_run:
        return 0
    print(f"Wrote app/migrations/versions/{write(found, message, slug).name}. Read it, then: make migrate")
    return 0


def compared() -> ops.MigrationScript:
    """What is missing between the migrations and the models, in both directions."""
    before = db.url()
    with TemporaryDirectory() as folder:
        db.point_at(f"sqlite:///{folder}/migrated.db")
        try:
            db.upgrade()
            return asyncio.run(schema.on_own_connection(_compare))
        finally:
            db.point_at(before)


def described(found: ops.MigrationScript) -> list[str]:
    """Each step in a line."""
    lines = []
    for step in _steps(found.upgrade_ops):
        kind = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(step).__name__.removesuffix("Op")).lower()
        about: Any = step
        table = getattr(about, "table_name", "")
        column = about.column.name if isinstance(about, ops.AddColumnOp) else getattr(about, "column_name", "")
        name = column or getattr(about, "index_name", "") or getattr(about, "constraint_name", "")
        lines.append(f"{kind} {table}{'.' if name else ''}{name or ''}")
    return lines


def warnings(found: ops.MigrationScript) -> Iterator[str]:
    """What the comparison does not know, for somebody to decide."""
    steps = list(_steps(found.upgrade_ops))
    made = [step.table_name for step in steps if isinstance(step, ops.CreateTableOp)]
    for step in steps:
        if isinstance(step, ops.DropTableOp) and made:
            yield f"if {step.table_name} is now called {made[0]}, write op.rename_table instead: a drop loses its rows"
        if isinstance(step, ops.DropColumnOp):
            new = [s.column.name for s in steps if isinstance(s, ops.AddColumnOp) and s.table_name == step.table_name]
            if new:
                yield (
                    f"if {step.table_name}.{step.column_name} is now called {new[0]}, write "
                    f'op.alter_column("{step.table_name}", "{step.column_name}", new_column_name="{new[0]}") instead: '
                    "a drop loses its values"
                )
        if isinstance(step, ops.AddColumnOp) and not step.column.nullable and step.column.server_default is None:
            yield (
                f"{step.table_name}.{step.column.name} has no value for rows that are there: give it a server_default, "
                "or add it with nullable=True, fill it, and make it NOT NULL"
            )
    if any(isinstance(step, ops.AlterColumnOp) for step in steps):
        yield "a changed type has to fit the rows that are there"


def write(found: ops.MigrationScript, message: str, slug: str) -> Path:
    """The new file, as `app/migrations/script.py.mako` has it."""
    config = schema.config()
    config.set_main_option("file_template", f"%%(rev)s_{slug}")
    script = ScriptDirectory.from_config(config)
    steps: dict[str, Any] = {"upgrades": rendered(found.upgrade_ops), "downgrades": rendered(found.downgrade_ops)}
    number = f"{int(script.get_current_head() or 0) + 1:04}"
    with redirect_stdout(io.StringIO()):
        made: Any = script.generate_revision(number, message[:1].upper() + message[1:], **steps)
    path = Path(made.path)
    path.write_text(_formatted(path.read_text("utf-8")), "utf-8")
    db.known.cache_clear()
    return path


def rendered(steps: Any) -> str:
    """The code of these steps, indented for a function."""
    code = []
    for step in steps.ops:
        batch = isinstance(step, ops.ModifyTableOps) and not all(isinstance(each, PLAIN) for each in step.ops)
        code.append(render_python_code(ops.UpgradeOps(ops=[step]), render_as_batch=batch, render_item=_rendered_item))
    text = "\n".join(code)
    for pattern, new in NOISE:
        text = pattern.sub(new, text)
    return text.strip() or "pass"


def _compare(connection: sa.Connection) -> ops.MigrationScript:
    options: dict[str, Any] = {"compare_type": True, "target_metadata": schema.metadata()}
    return produce_migrations(MigrationContext.configure(connection, opts=options), schema.metadata())


def _steps(steps: Any) -> Iterator[Any]:
    for step in steps.ops:
        if isinstance(step, ops.ModifyTableOps):
            yield from step.ops
        else:
            yield step


def _rendered_item(kind: str, item: Any, _: object) -> str | Literal[False]:
    """A migration imports nothing of the application: the type that it names may be gone one day."""
    if kind == "type":
        return _portable(item)
    if kind == "server_default" and isinstance(item, sa.DefaultClause) and not isinstance(item.arg, str):
        values = list(item.arg.compile().params.values())  # Edgy binds the value of a default
        if len(values) == 1 and isinstance(values[0], bool):
            return "sa.true()" if values[0] else "sa.false()"  # 0 is no boolean for PostgreSQL
    return False


def _portable(kind: Any) -> str | Literal[False]:
    """How both databases have it. What is dropped was read from SQLite, whose types are not those of PostgreSQL."""
    if isinstance(kind, (AwareUTC, sa.DATETIME)):
        return "sa.DateTime(timezone=True)"
    if isinstance(kind, sa.CHAR) and kind.length == 32:
        return "sa.Uuid()"
    return "sa.JSON()" if isinstance(kind, sa.JSON) else False


def _formatted(text: str) -> str:
    if find_spec("ruff") is None:
        return text
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--line-length", "120", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout  # noqa: S603


def _refuse(reason: str, code: int) -> int:
    print(f"migration: {reason}", file=sys.stderr)
    return code
