#!/usr/bin/env bash
# On SQLite, a row that Edgy creates inside a transaction stays when the transaction is rolled back.
#
# Seen 2026-12-01: edgy 0.37.0, databasez 0.13.0, SQLAlchemy 2.0.58, aiosqlite 0.22.1, Python 3.11.7.
# `async with database.transaction():` with `Model.query.create(...)` in it, and then an exception: the row is there, and a
# second row of the same transaction, too. So it is with `transaction(force_rollback=True)`. A statement that is executed
# through the database itself is rolled back. The cause: `create` opens a transaction of its own, which is a savepoint inside
# the outer one, but Python's sqlite3 has sent no BEGIN yet. So the savepoint is the outermost transaction, and its RELEASE
# commits. SQLAlchemy describes that of the driver ("Serializable isolation / Savepoints / Transactional DDL"), and Edgy and
# databasez do not apply the remedy that it names. On PostgreSQL 18 both rows are rolled back. A test suite that empties its
# database with `force_rollback` on SQLite keeps its rows, and half a transfer stays booked.
# Output seen:
#   an exception: ['first', 'second']
#   force_rollback: ['first']
#   a statement of the database: []
# Exits 0 while that holds, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    edgy==0.37.0 databasez==0.13.0 sqlalchemy==2.0.58 aiosqlite==0.22.1
FOLDER=$folder "$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import os
import sys

import edgy

database = edgy.Database(f"sqlite+aiosqlite:///{os.environ['FOLDER']}/rows.db")
registry = edgy.Registry(database=database)


class Booking(edgy.StrictModel):
    name = edgy.CharField(max_length=50)

    class Meta:
        registry = registry


async def raises():
    try:
        async with database.transaction():
            await Booking.query.create(name="first")
            await Booking.query.create(name="second")
            raise ValueError
    except ValueError:
        pass


async def forced():
    async with database.transaction(force_rollback=True):
        await Booking.query.create(name="first")


async def statement():
    async with database.transaction(force_rollback=True):
        await database.execute(Booking.table.insert().values(name="first"))


async def main():
    seen = {}
    async with registry:
        await registry.create_all()
        cases = {"an exception": raises, "force_rollback": forced, "a statement of the database": statement}
        for name, act in cases.items():
            await act()
            seen[name] = sorted(await Booking.query.values_list(["name"], flat=True))
            await Booking.query.delete()
            print(f"{name}:", seen[name])
    return list(seen.values()) == [["first", "second"], ["first"], []]


sys.exit(0 if asyncio.run(main()) else 1)
PYTHON
