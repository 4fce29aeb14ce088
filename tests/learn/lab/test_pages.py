"""The lab's pages: who may open them, what they never show, and that a form with errors comes back with its input."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from app import db
from app.audit.models import event_rows
from app.auth import tokens
from app.auth.models import session_rows
from app.auth.sessions import rotation
from app.auth.tokens import TokenPair
from app.learn.lab import forge, inspector, pages, transcripts
from app.settings import ROOT, get_settings
from tests.contract.places import Place
from tests.support import forge as good_forge
from tests.support.clock import Clock
from tests.support.people import make_user, sign_in
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database")]

ROUTES = [
    (method, route.path.replace("{name}", "alg-none"))
    for route in pages.route_patterns
    for method in sorted(route.handler.http_methods)
]


def signatures(pair: TokenPair) -> list[str]:
    """Of the tokens themselves, and of what the site would accept in place of the access token."""
    header, payload = forge.parts(pair.access_token)
    admin = forge.signed_as_if_the_key_had_leaked(header, payload | {"role": "admin"})
    return [raw.rpartition(".")[2] for raw in (pair.access_token, pair.refresh_token, admin)]


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_lab_exists_on_this_machine_in_development_and_is_404_otherwise(
    client: Visitor, app: Any, method: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = Place(app, "192.0.2.7")
    for visitor in (elsewhere, client):
        await sign_in(visitor, await make_user())

    assert (await client.call(method, path)).status_code in (200, 422)
    assert (await elsewhere.call(method, path)).status_code == 404
    monkeypatch.setattr(get_settings(), "env", "production")
    assert (await client.call(method, path)).status_code == 404


def test_production_has_no_address_of_the_lab() -> None:
    program = "from app.main import route_table; print(*(row['path'] for row in route_table()))"
    environment = os.environ | {"APP_ENV": "production", "APP_ARGON2_MEMORY_KIB": "19456"}

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )

    assert "/login" in done.stdout.split()
    assert "/learn/lab" not in done.stdout


@pytest.mark.parametrize("exhibit", ["inspector", "family"])
async def test_visitor_without_a_session_is_invited_to_sign_in_and_comes_back(client: Visitor, exhibit: str) -> None:
    page = await client.visit(f"/learn/lab/{exhibit}")

    assert page.status_code == 200
    assert f'href="/login?next=/learn/lab/{exhibit}"' in page.text


@pytest.mark.parametrize("exhibit", ["inspector", "family"])
async def test_reader_whose_access_token_is_expired_is_refreshed_first(
    client: Visitor, clock: Clock, exhibit: str
) -> None:
    await sign_in(client, await make_user())
    clock.forward(minutes=16)

    page = await client.visit(f"/learn/lab/{exhibit}", follow_redirects=True)

    assert [step.url.path for step in page.history] == [f"/learn/lab/{exhibit}", "/auth/resume"]
    assert page.status_code == 200
    assert "Sign in to see your session" not in page.text


async def test_link_from_another_site_is_bounced_so_that_the_cookies_come_along(client: Visitor) -> None:
    assert 'http-equiv="refresh"' in (await client.visit("/learn/lab/inspector", site="cross-site")).text


async def test_inspector_shows_everything_but_a_signature(client: Visitor) -> None:
    pair = await sign_in(client, await make_user())

    page = (await client.visit("/learn/lab/inspector")).text

    head, body, _ = pair.access_token.split(".")
    assert head in page
    assert body in page
    assert "Accepted: all 19 checks pass." in page
    for signature in signatures(pair):
        assert signature not in page
    assert pair.refresh_token.split(".")[1] not in page
    assert good_forge.claims(pair.refresh_token)["jti"] not in page


@pytest.mark.parametrize("insecure", [False, True])
async def test_cookies_are_described_as_they_are_set(
    client: Visitor, monkeypatch: pytest.MonkeyPatch, insecure: bool
) -> None:
    monkeypatch.setattr(get_settings(), "cookie_insecure", insecure)
    await sign_in(client, await make_user())

    page = (await client.visit("/learn/lab/inspector")).text

    assert "<strong>HttpOnly</strong>" in page
    assert ("<strong>Secure</strong>" in page) is ("<strong>__Host-</strong>" in page) is not insecure


async def test_claims_of_the_refresh_token_are_computed_as_they_were_issued(client: Visitor) -> None:
    pair = await sign_in(client, await make_user())
    row = await db.fetch_one(sa.select(session_rows))

    shown = {claim.name: claim.value for claim in inspector.refresh_token(row)}

    header, claims = forge.parts(pair.refresh_token)
    said = {name: str(value) for name, value in (header | claims).items()}
    assert shown | {"jti": ""} == said | {"jti": ""}


@pytest.mark.parametrize(
    ("changes", "way", "result"),
    [
        ({}, "kept", "Accepted: all 19 checks pass."),
        ({"role": "admin"}, "kept", "<strong>Signature</strong>"),
        ({"role": "admin"}, "wrong", "<strong>Signature</strong>"),
        ({"role": "admin"}, "leaked", "Accepted: all 19 checks pass."),
        ({"aud": "https://other.example"}, "leaked", "<strong>Audience</strong>"),
        ({"exp": 1}, "leaked", "<strong>Expiry</strong>"),
        ({"gen": 7}, "leaked", "<strong>Generation</strong>"),
        ({"sid": "01a2c3d4-0000-7000-8000-000000000000"}, "leaked", "<strong>Session</strong>"),
    ],
    ids=str,
)
async def test_edited_token_fails_the_expected_check_and_is_never_shown(
    client: Visitor, changes: dict[str, Any], way: str, result: str
) -> None:
    pair = await sign_in(client, await make_user())
    header, payload = forge.parts(pair.access_token)
    fields = {"header": json.dumps(header), "payload": json.dumps(payload | changes), "way": way}

    page = await client.submit("/learn/lab/inspector/edit", fields)

    assert page.status_code == 200
    assert result in page.text.partition('id="result"')[2].partition("<form")[0]
    made = forge.signed_as_if_the_key_had_leaked(header, payload | changes)
    for secret in (*signatures(pair), made.rpartition(".")[2]):
        assert secret not in page.text


@pytest.mark.parametrize("bad", ["", "{", "[]", '"x"', "[" * 1900, '{"a": 1e999'])
@pytest.mark.parametrize("name", ["header", "payload"])
async def test_text_that_is_not_an_object_is_an_error_and_stays_in_the_form(
    client: Visitor, name: str, bad: str
) -> None:
    await sign_in(client, await make_user())
    fields = {"header": '{"alg": "kept?"}', "payload": '{"sub": "kept?"}', "way": "wrong"} | {name: bad}

    page = await client.submit("/learn/lab/inspector/edit", fields)

    assert page.status_code == 422
    assert f'href="#{name}"' in page.text
    assert "kept?" in page.text
    assert page.text.count("&#34;kept?&#34;") == 1


async def test_unknown_choice_of_signature_is_an_error(client: Visitor) -> None:
    await sign_in(client, await make_user())

    page = await client.submit("/learn/lab/inspector/edit", {"header": "{}", "payload": "{}", "way": "sideways"})

    assert page.status_code == 422
    assert 'href="#way"' in page.text


@pytest.mark.pattern("custom-claims")
@pytest.mark.pattern("token-decode-claims")
async def test_sample_keeps_declared_claims_and_is_refused_by_the_site(client: Visitor) -> None:
    fields = {"sub": "user123", "email": "<b>@example.com", "role": "admin"}

    page = (await client.submit("/learn/lab/inspector/mint", fields)).text

    base_class, subclass = re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", page, re.DOTALL)
    assert "email" not in base_class
    assert "&lt;b&gt;@example.com" in subclass
    assert "<b>@example.com" not in page
    parts = re.findall(r'class="token-(?:head|body|sign)">([\w-]+)<', page)
    raw = ".".join(parts[-3:])
    assert tokens.refused_by(raw, "access", db.utcnow()) == "typ"
    answer = await client.get("/api/auth/me", headers={"Authorization": f"Bearer {raw}"})
    assert answer.status_code == 401


@pytest.mark.parametrize("fields", [{"sub": ""}, {"sub": "a\x00b", "role": "kept?"}, {"sub": "x" * 81}])
async def test_sample_without_a_subject_is_an_error(client: Visitor, fields: dict[str, str]) -> None:
    page = await client.submit("/learn/lab/inspector/mint", fields)

    assert page.status_code == 422
    assert 'href="#sub"' in page.text
    assert fields.get("role", "") in page.text


async def test_session_history_shows_only_the_readers_own_session(
    client: Visitor, make_client: Callable[[], Visitor]
) -> None:
    person = await make_user()
    pair = await sign_in(client, person)
    await rotation.rotate(pair.refresh_token)
    other = make_client()
    another = await sign_in(other, await make_user())
    for _ in range(2):
        await rotation.rotate(another.refresh_token)

    page = (await client.visit("/learn/lab/family")).text

    assert "Signed in, renewed once; the session is alive." in page
    assert 'role="img"' in page
    assert page.count("<tr>") == 3


@pytest.mark.parametrize("path", ["/learn/lab/attacks/nothing", "/learn/lab/attacks/%00", "/learn/lab/nothing"])
async def test_unknown_exhibit_is_404(client: Visitor, path: str) -> None:
    assert (await client.visit(path)).status_code == 404


@pytest.mark.parametrize("path", ["/learn/lab/attacks/alg-none", "/learn/lab/inspector/mint"])
async def test_lab_cannot_be_used_from_another_site(client: Visitor, path: str) -> None:
    await sign_in(client, await make_user())
    before = await db.fetch_value(sa.select(sa.func.count()).select_from(event_rows))

    answer = await client.submit(path, {"sub": "x"}, headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 403
    assert await db.fetch_value(sa.select(sa.func.count()).select_from(event_rows)) == before


def test_first_recorded_transcript_is_shown_and_none_where_none_is(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts, "FILE", tmp_path / "transcripts.json")
    assert transcripts.first_of(["token-decode"]) is None

    transcripts.FILE.write_text(json.dumps({"token-decode": {"code": "print(1)", "output": "1"}}))

    assert transcripts.first_of(["alg-none", "token-decode"]) == transcripts.Transcript("print(1)", "1")
    assert transcripts.first_of(["alg-none"]) is None
