"""What reaches the database, whichever engine takes it there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa


class Sent(NamedTuple):
    sql: str
    values: Any


@contextmanager
def sent() -> Iterator[list[Sent]]:
    """Every statement that runs inside, as it happens."""
    seen: list[Sent] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        seen.append(Sent(statement, values))

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


def spoken(seen: list[Sent]) -> list[str]:
    """The SQL without its values, and without the pruning that now and then comes along."""
    return [sql for sql, _ in seen if not sql.startswith("DELETE FROM throttle_counters")]
