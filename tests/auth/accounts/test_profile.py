"""Profile: the name of an account."""

import pytest

from app.audit import events
from app.auth.accounts import profile
from tests.support.account_state import announced, happened, row_of
from tests.support.people import make_user

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database")]


async def test_name_is_changed_everywhere_it_stands() -> None:
    person = await make_user(name="Robin Before")

    assert await profile.change_name(person.id, "Zoë After")

    row = await row_of(person)
    assert row.name == "Zoë After"
    assert "zoë after" in row.search_text
    assert "before" not in row.search_text
    assert await announced(person)
    assert await happened(person) == [events.NAME_CHANGED]


async def test_same_name_is_no_change() -> None:
    person = await make_user(name="Robin")

    assert not await profile.change_name(person.id, "Robin")

    assert await happened(person) == []
