#!/usr/bin/env bash
# In Edgy, `only()` or `defer()` followed by `save()` overwrites the columns that were not loaded with their defaults.
#
# Seen 2026-12-01: edgy 0.37.0, databasez 0.13.0, Python 3.11.7; SQLite here, and the same on PostgreSQL 18.
# A row is loaded with some of its columns, one attribute is set, and the row is saved. `save()` writes all columns: those
# with a default that were not loaded get that default, because it is there and the stored value is not. So a deactivated
# account is active again, and a counter starts at 0. Columns without a default keep their value. Nothing is raised. In
# Django, which these methods are named after, `save()` leaves deferred columns alone.
# `await row.update(name="new")` writes one column only, and so does `save(values={...})`. A deferred attribute that was
# read before keeps its value, too, because reading loads it.
# Output seen:
#   stored:     {'name': 'old', 'active': False, 'attempts': 9, 'note': 'n'}
#   only+save:  {'name': 'new', 'active': True, 'attempts': 0, 'note': 'n'}
#   defer+save: {'name': 'new', 'active': True, 'attempts': 0, 'note': 'n'}
#   update:     {'name': 'new', 'active': False, 'attempts': 9, 'note': 'n'}
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
STORED = {"name": "old", "active": False, "attempts": 9, "note": "n"}


class Account(edgy.StrictModel):
    name = edgy.CharField(max_length=50)
    active = edgy.BooleanField(default=True)
    attempts = edgy.IntegerField(default=0)
    note = edgy.CharField(max_length=50, null=True)

    class Meta:
        registry = registry


async def after(change):
    """The columns of a new row when `change` has renamed it."""
    key = (await Account.query.create(**STORED)).id
    await change(key)
    return (await Account.query.filter(id=key).values(list(STORED)))[0]


async def save(query, key):
    account = await query.get(id=key)
    account.name = "new"
    await account.save()


async def main():
    async with registry:
        await registry.create_all()
        seen = {
            "only+save": await after(lambda key: save(Account.query.only("name"), key)),
            "defer+save": await after(lambda key: save(Account.query.defer("active", "attempts", "note"), key)),
            "update": await after(lambda key: update(key)),
        }
    for name, row in {"stored": STORED, **seen}.items():
        print(f"{name + ':':11}", row)
    lost = STORED | {"name": "new", "active": True, "attempts": 0}
    return seen == {"only+save": lost, "defer+save": lost, "update": STORED | {"name": "new"}}


async def update(key):
    await (await Account.query.only("name").get(id=key)).update(name="new")


sys.exit(0 if asyncio.run(main()) else 1)
PYTHON
