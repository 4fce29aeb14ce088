"""Databases for these tests: empty ones, without migrations (on PostgreSQL where TEST_DATABASE=postgresql says so)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from tests.support import database as databases
from tests.support import postgres

ledger = sa.Table(
    "ledger",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("amount", sa.Integer, nullable=False),
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """Where an empty database of this test alone is; `app.db` points at it and is not connected."""
    # Where TLS is possible, asyncpg logs a lost future for each statement that is cancelled twice, and tests fail.
    plain = "?sslmode=disable"
    address = postgres.empty() + plain if databases.POSTGRESQL else f"sqlite:///{tmp_path / 'empty.db'}"
    db.point_at(address)
    return address


@pytest.fixture
async def account(url: str, anyio_backend: str) -> AsyncIterator[Any]:
    """`app.db`, connected, with the table `pattern_index` that holds one row: id 1, amount 0. Yields the table."""
    await db.connect()
    await db.execute(sa.schema.CreateTable(ledger))
    await db.execute(sa.insert(ledger).values(id=1, amount=0))
    yield ledger
    await db.disconnect()
