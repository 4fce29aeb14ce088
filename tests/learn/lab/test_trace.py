"""The list of checks agrees with the real code: the result of a request, the check that fails and its source line."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.auth import tokens
from app.auth.claims import AppToken
from app.auth.models import session_rows
from app.auth.sessions import session_cache
from app.learn.lab import claims, forge, sources, trace
from app.settings import ROOT
from tests.auth.test_tokens import BROKEN
from tests.support import forge as good_forge
from tests.support.people import make_user, start_session
from tests.support.sent import bearer
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio


def test_every_check_is_explained_in_the_order_in_which_it_is_made() -> None:
    assert tuple(trace.ABOUT) == tokens.CHECKS + session_cache.CHECKS


@pytest.mark.parametrize("check", trace.ABOUT)
def test_place_of_a_check_is_a_line_of_the_file(check: str) -> None:
    at = trace.place_of(check)

    line = (ROOT / at.file).read_text().splitlines()[at.line - 1]
    assert line.strip() == at.code
    assert trace.ABOUT[check][3] in line


def test_removed_check_is_reported_as_removed() -> None:
    at = sources.find(tokens._read, "a line that does not exist")

    assert (at.file, at.code) == ("app/auth/tokens.py", sources.GONE)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("check", [*BROKEN, None])
async def test_trace_agrees_with_the_real_checks_and_with_a_request(client: Visitor, check: str | None) -> None:
    pair = await start_session(await make_user())
    fault = BROKEN[check] if check else {}
    now = db.utcnow()
    changes = dict(fault.get("claims", {}))
    if check in ("exp", "iat"):
        changes = {check: int(now.timestamp()) + (-1 if check == "exp" else 600)}
    header, payload = forge.parts(pair.access_token)
    payload = {name: value for name, value in (payload | changes).items() if value is not None}
    sign: Any = forge.signed_wrongly if check == "signature" else forge.signed_as_if_the_key_had_leaked
    raw = sign(header | fault.get("header", {}), payload) + fault.get("tail", "")

    steps = await trace.trace(raw, now)
    answer = await client.get("/api/auth/me", headers={"Authorization": f"Bearer {raw}"})

    failed = [step.name for step in steps if step.state == trace.FAILED]
    assert failed == ([check] if check else [])
    assert (tokens.read(raw, "access", now) is None) is bool(check)
    assert answer.status_code == (401 if check else 200)
    at = list(trace.ABOUT).index(check) if check else len(trace.ABOUT)
    assert [step.state for step in steps[:at]] == [trace.PASSED] * at
    assert {step.state for step in steps[at + 1 :]} <= {trace.NOT_REACHED}


async def test_trace_sees_an_ended_session_and_changes_nothing(client: Visitor, database: str) -> None:
    pair = await start_session(await make_user())
    ended = sa.update(session_rows).values(revoked_at=db.utcnow(), confirmed=0)
    await db.execute(ended)

    steps = await trace.trace(pair.access_token, db.utcnow())

    assert [step.name for step in steps if step.state == trace.FAILED] == ["revoked"]
    assert (await client.get("/api/auth/me", headers=bearer(pair))).status_code == 401
    assert await db.fetch_value(sa.select(session_rows.c.confirmed)) == 0


@pytest.mark.usefixtures("database")
async def test_forged_header_and_payload_are_written_as_given() -> None:
    pair = await start_session(await make_user())
    header, payload = forge.parts(pair.access_token)

    for raw in (forge.unsigned(header, payload), forge.signed_wrongly(header, payload)):
        assert forge.parts(raw) == (header, payload)
    assert forge.signed_as_if_the_key_had_leaked(header, payload) == pair.access_token
    assert good_forge.claims(pair.access_token) == payload


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (842, "14 minutes 2 seconds left"),
        (1, "1 second left"),
        (0, "0 seconds ago"),
        (-61, "1 minute 1 second ago"),
        (90061, "1 day 1 hour left"),
        (3600, "1 hour left"),
    ],
)
def test_distance_in_its_two_largest_units(seconds: int, text: str) -> None:
    now = db.utcnow()

    assert claims.distance(now + timedelta(seconds=seconds), now) == text


def test_every_claim_of_our_tokens_has_a_meaning() -> None:
    ours = {"alg", "kid", "typ", *AppToken.model_fields}

    assert ours <= set(claims.MEANINGS)
