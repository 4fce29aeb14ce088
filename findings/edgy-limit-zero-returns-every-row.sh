#!/usr/bin/env bash
# In Edgy, `limit(0)` means no limit: it returns every row.
#
# Seen 2026-12-01: edgy 0.37.0, Python 3.11.7; SQLite here, and the same on PostgreSQL 18.
# SQL's LIMIT 0 returns nothing, and so does a slice of length 0 in Django. In Edgy `limit(0)` returns, counts and finds all
# rows, while `limit(1)` returns one. A size that is computed, such as what is left of a quota or of a page of fixed length,
# may well be 0, and then the list is the whole table. The documentation says of `limit`: "The LIMIT in SQL".
# Output seen:
#   limit(2): 2 rows, limit(1): 1 rows, limit(0): 5 rows; count 5, exists True
# Exits 0 while that holds, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check edgy==0.37.0 databasez==0.13.0 aiosqlite==0.22.1
FOLDER=$folder "$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import os
import sys

import edgy

registry = edgy.Registry(database=edgy.Database(f"sqlite+aiosqlite:///{os.environ['FOLDER']}/rows.db"))


class Row(edgy.StrictModel):
    name = edgy.CharField(max_length=50)

    class Meta:
        registry = registry


async def main():
    async with registry:
        await registry.create_all()
        for number in range(5):
            await Row.query.create(name=str(number))
        found = {size: len(await Row.query.limit(size)) for size in (2, 1, 0)}
        count, exists = await Row.query.limit(0).count(), await Row.query.limit(0).exists()
    print(", ".join(f"limit({size}): {rows} rows" for size, rows in found.items()) + f"; count {count}, exists {exists}")
    return (found, count, exists) == ({2: 2, 1: 1, 0: 5}, 5, True)


sys.exit(0 if asyncio.run(main()) else 1)
PYTHON
