"""The hidden field of the sign-up form: a program that fills it in gets the answer of a success, and nothing else."""

from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.auth.models import link_rows, user_rows
from app.auth.rate_limit import limits
from app.email.models import email_rows
from app.observability import metrics
from tests.contract.test_signup import FIELDS, seen
from tests.support.mailbox import emails_to
from tests.support.people import make_user
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio

FILLED = FIELDS | {"email": "program@example.com", "homepage": "https://spam.example"}


async def rows() -> list[Any]:
    return [row for table in (user_rows, link_rows, email_rows) for row in await db.fetch_all(sa.select(table))]


def dropped() -> float:
    return metrics.SIGNUPS_DROPPED._value.get()


async def test_answer_is_that_of_a_success_and_nothing_is_stored_or_sent(
    client: Visitor, logged: list[dict[str, Any]]
) -> None:
    before = dropped()

    answer = seen(await client.submit("/register", FILLED))
    stored = await rows()

    assert stored == []
    assert await emails_to(FILLED["email"]) == []
    assert answer == seen(await client.submit("/register", FIELDS))
    assert dropped() == before + 1
    (line,) = [line for line in logged if line["event"] == "signup_dropped"]
    assert (line["log_level"], line["because"]) == ("info", "honeypot")
    assert not {"spam.example", FILLED["email"]} & {str(value) for value in line.values()}


async def test_owner_of_a_taken_address_is_left_in_peace(client: Visitor) -> None:
    person = await make_user()

    answer = await client.submit("/register", FILLED | {"email": person.email})

    assert answer.headers["location"] == "/register/sent"
    assert await emails_to(person.email) == []


async def test_faults_in_other_fields_are_said_as_to_anybody(client: Visitor) -> None:
    fault = {"email": "no address"}

    filled = await client.submit("/register", FILLED | fault)

    assert seen(filled) == seen(await client.submit("/register", FIELDS | fault))
    assert filled.status_code == 422


async def test_program_is_held_to_the_same_limits(client: Visitor) -> None:
    most, _ = limits.limit(limits.EMAIL)
    answers = [
        await client.submit("/register", FILLED | {"email": f"program{number}@example.com"})
        for number in range(most + 1)
    ]

    assert [answer.status_code for answer in answers] == [303] * most + [429]
    assert await rows() == []


async def test_field_left_empty_is_an_ordinary_sign_up(client: Visitor) -> None:
    page = (await client.visit("/register")).text
    assert 'name="homepage"' in page

    await client.submit("/register", FIELDS | {"homepage": ""})

    assert [email.subject for email in await emails_to(FIELDS["email"])] == ["Confirm your address"]
