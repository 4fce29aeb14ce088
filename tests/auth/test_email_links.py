"""Mailed links: each opens one thing, once, for a while, and nothing that is stored opens anything."""

import asyncio
import base64
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.auth import email_links
from app.auth.models import link_rows

pytestmark = [pytest.mark.database, pytest.mark.anyio, pytest.mark.usefixtures("database")]


async def made(purpose: str = email_links.REGISTER, **values: Any) -> Any:
    async with db.transaction() as tx:
        return await email_links.make(tx, purpose, db.utcnow(), **values)


async def used(raw: str, purpose: str = email_links.REGISTER) -> Any:
    async with db.transaction() as tx:
        return await email_links.use(tx, raw, purpose, db.utcnow())


# v5.0.0-2.3.4, v5.0.0-6.4.1
async def test_link_is_good_once() -> None:
    """v5.0.0-6.5.1"""
    row = await made(email="a@example.com")
    raw = email_links.token(row)

    assert (await email_links.find(raw, email_links.REGISTER, db.utcnow())).email == "a@example.com"
    assert (await used(raw)).id == row.id
    assert await used(raw) is None
    assert await email_links.find(raw, email_links.REGISTER, db.utcnow()) is None


# v5.0.0-15.4.2
@pytest.mark.race
async def test_twenty_clicks_at_once_are_one() -> None:
    raw = email_links.token(await made())

    rows = await asyncio.gather(*(used(raw) for _ in range(20)))

    assert sum(row is not None for row in rows) == 1


# v5.0.0-6.6.2
async def test_link_of_one_purpose_opens_no_other() -> None:
    raw = email_links.token(await made(email_links.REGISTER))

    assert await email_links.find(raw, email_links.RESET, db.utcnow()) is None
    assert await used(raw, email_links.RESET) is None


# v5.0.0-6.4.1
async def test_link_is_over_on_time() -> None:
    """v5.0.0-6.5.5"""
    raw = email_links.token(row := await made(email_links.RESET))

    assert await email_links.find(raw, email_links.RESET, row.ends_at - timedelta(seconds=1))
    assert await email_links.find(raw, email_links.RESET, row.ends_at) is None


async def test_each_altered_character_makes_it_worthless() -> None:
    raw = email_links.token(await made())

    for place in range(len(raw)):
        altered = raw[:place] + ("A" if raw[place] != "A" else "B") + raw[place + 1 :]
        assert await email_links.find(altered, email_links.REGISTER, db.utcnow()) is None, place


@pytest.mark.parametrize(
    "raw", ["", ".", "x", "a.b.c", "\x00", "é.é", "=" * 24 + ".x", "A" * 22, "A" * 22 + ".", "x" * 5000]
)
async def test_nonsense_is_no_link(raw: str) -> None:
    await made()

    assert await email_links.find(raw, email_links.REGISTER, db.utcnow()) is None
    assert await used(raw) is None


# v5.0.0-6.5.3, v5.0.0-6.5.4
async def test_links_differ_in_256_random_bits() -> None:
    rows = [await made() for _ in range(200)]

    macs = [int.from_bytes(base64.urlsafe_b64decode(email_links.token(row).partition(".")[2] + "==")) for row in rows]
    assert len(set(macs)) == 200
    for bit in range(256):  # by chance one of 256 bits is further off in one of a hundred thousand million runs
        assert 40 < sum(mac >> bit & 1 for mac in macs) < 160


# v5.0.0-11.5.1
async def test_nothing_stored_is_the_token() -> None:
    """A leaked database opens nothing (v5.0.0-11.5.1)."""
    raw = email_links.token(row := await made())
    link_id, _, mac = raw.partition(".")

    for value in row:
        assert mac not in str(value)
        assert await email_links.find(f"{link_id}.{value}", email_links.REGISTER, db.utcnow()) is None


async def test_email_composed_twice_contains_the_same_link_with_a_later_expiry(clock: Any) -> None:
    email_id = db.uuid7()
    first = await made(email_links.RESET, link_id=email_id)
    clock.forward(minutes=10)

    second = await made(email_links.RESET, link_id=email_id)

    assert email_links.token(first) == email_links.token(second)
    assert second.ends_at == first.ends_at + timedelta(minutes=10)


async def test_used_link_does_not_become_valid_when_its_email_is_composed_again() -> None:
    email_id = db.uuid7()
    raw = email_links.token(await made(email_links.RESET, link_id=email_id))
    await used(raw, email_links.RESET)

    with pytest.raises(sa.exc.IntegrityError):
        await made(email_links.RESET, link_id=email_id)

    assert await email_links.find(raw, email_links.RESET, db.utcnow()) is None


async def test_voided_links_open_nothing() -> None:
    raw, other = (
        email_links.token(await made(email_key="a@b.example")),
        email_links.token(await made(email_key="c@d.example")),
    )

    async with db.transaction() as tx:
        assert await email_links.void(tx, db.utcnow(), link_rows.c.email_key == "a@b.example") == 1

    assert await email_links.find(raw, email_links.REGISTER, db.utcnow()) is None
    assert await email_links.find(other, email_links.REGISTER, db.utcnow())


async def test_link_knows_that_it_did_its_work() -> None:
    raw, voided = (
        email_links.token(await made(email_key="a@b.example")),
        email_links.token(await made(email_key="c@d.example")),
    )
    assert not await email_links.was_used(raw, email_links.REGISTER)

    await used(raw)
    async with db.transaction() as tx:
        await email_links.void(tx, db.utcnow(), link_rows.c.email_key == "c@d.example")

    assert await email_links.was_used(raw, email_links.RESET, email_links.REGISTER)
    assert not await email_links.was_used(raw, email_links.RESET)
    assert not await email_links.was_used(voided, email_links.REGISTER)
    for wrong in (raw[:-1] + ("A" if raw[-1] != "A" else "B"), raw.partition(".")[0], "x", ""):
        assert not await email_links.was_used(wrong, email_links.REGISTER)
