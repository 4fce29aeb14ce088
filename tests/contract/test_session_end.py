"""A page with a form knows when its session ends, so that it can say so before (`static/session_end.js`)."""

import re
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from app import db
from app.auth.models import session_rows
from app.settings import get_settings
from tests.support.clock import Clock
from tests.support.people import make_user, sign_in
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio

MARK, SCRIPT = 'id="session-end"', "session_end.js"


def times(html: str) -> dict[str, str]:
    """The data attributes of the template element."""
    tag = re.search(r'<template id="session-end"[^>]*>', html)
    assert tag
    return dict(re.findall(r'data-([\w-]+)="([^"]*)"', tag[0]))


async def test_page_with_a_form_has_both_ends_of_its_session_in_utc(client: Visitor, clock: Clock) -> None:
    began, settings = clock.now, get_settings()
    await sign_in(client, await make_user())
    clock.forward(minutes=3)

    shown = times((await client.visit("/account")).text)

    assert datetime.fromisoformat(shown["now"]) == clock.now
    assert datetime.fromisoformat(shown["ends"]) == began + timedelta(seconds=settings.session_seconds)
    assert datetime.fromisoformat(shown["idle-ends"]) == began + timedelta(seconds=settings.refresh_token_seconds)
    assert int(shown["idle-seconds"]) == settings.refresh_token_seconds - settings.access_token_seconds
    assert all(shown[name].endswith("+00:00") for name in ("now", "ends", "idle-ends"))


async def test_refresh_moves_the_idle_end_and_not_the_absolute_one(client: Visitor, clock: Clock) -> None:
    await sign_in(client, await make_user())
    before = times((await client.visit("/account")).text)
    clock.forward(minutes=16)

    page = await client.visit("/account", site="same-origin", follow_redirects=True)

    after = times(page.text)
    assert after["ends"] == before["ends"]
    moved = datetime.fromisoformat(after["idle-ends"]) - datetime.fromisoformat(before["idle-ends"])
    assert moved == timedelta(minutes=16)


@pytest.mark.parametrize("path", ["/account/activity", "/dashboard"])
async def test_page_without_a_form_of_its_own_has_neither_times_nor_script(client: Visitor, path: str) -> None:
    """Every page has the form "Sign out" in its header, which loses nothing."""
    await sign_in(client, await make_user())

    page = await client.visit(path)

    assert page.status_code == 200
    assert '<form action="/logout" method="post">' in page.text
    assert MARK not in page.text
    assert SCRIPT not in page.text


async def test_form_of_somebody_who_is_not_signed_in_has_neither(client: Visitor) -> None:
    page = await client.visit("/login")

    assert 'method="post"' in page.text
    assert MARK not in page.text


async def test_form_to_sign_in_again_does_not_ask_to_sign_in_again(client: Visitor, clock: Clock) -> None:
    await sign_in(client, await make_user())
    await db.execute(sa.update(session_rows).values(ends_at=clock.now + timedelta(minutes=1)))

    page = await client.visit("/login")

    assert page.status_code == 200
    assert MARK not in page.text
