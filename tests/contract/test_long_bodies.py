"""A long form is read from clients with the tokens of a session, also if they have to be renewed first."""

import pytest

from app.settings import get_settings
from tests.support import forge
from tests.support.people import make_user, start_session
from tests.support.sent import bearer, browser
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio

BETWEEN = get_settings().anonymous_body_limit_bytes + 1000
LONG = "\U0001f600" * 19_000  # a note within its limit: 228 kB as a form sends it, 76 kB as JSON


@pytest.mark.parametrize("path", ["/login", "/register", "/forgot-password", "/account", "/api/auth/login"])
async def test_anonymous_client_is_refused(client: Visitor, path: str) -> None:
    answer = await client.submit(path, {"password": "x" * BETWEEN})

    assert answer.status_code == 413


# notes:
async def test_signed_in_person_keeps_a_long_note(client: Visitor) -> None:
    pair = await start_session(await make_user())

    page = await client.submit("/notes", {"title": "long", "body": LONG}, headers=browser(pair))
    program = await client.post("/api/notes", json={"title": "long", "body": LONG}, headers=bearer(pair))

    assert (page.status_code, program.status_code) == (303, 201)


async def test_long_note_survives_a_session_that_has_to_be_renewed(client: Visitor) -> None:
    pair = await start_session(await make_user())
    for name, value in (("access", forge.expired(pair.access_token)), ("refresh", pair.refresh_token)):
        client.put_cookie(f"__Host-{name}", value)

    answer = await client.submit("/notes", {"title": "long", "body": LONG}, follow_redirects=True)

    assert [hop.status_code for hop in answer.history] == [307, 307, 303]
    assert answer.status_code == 200


async def test_program_with_a_token_that_is_over_is_told_so(client: Visitor) -> None:
    """401: it renews and comes back. A client with a token that we never signed is anonymous."""
    pair = await start_session(await make_user())
    over, forged = forge.expired(pair.access_token), forge.resign(pair.access_token, key=b"x" * 64)
    body = {"title": "long", "body": LONG}

    answers = [
        await client.post("/api/notes", json=body, headers={"Authorization": f"Bearer {token}"})
        for token in (over, forged)
    ]

    assert [answer.status_code for answer in answers] == [401, 413]


# /notes
