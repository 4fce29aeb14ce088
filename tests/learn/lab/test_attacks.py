"""Each attack script in this process and with an HTTP client against a server process: same responses, same result."""

import ast
import html
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from app import db
from app.audit.models import event_rows
from app.auth.models import session_rows, user_rows
from app.auth.sessions import rotation
from app.auth.sessions.rotation_policy import Decision
from app.email.models import email_rows
from app.learn.lab import attacks, http_exchange, sandbox
from app.learn.lab.attacks import Attack
from app.learn.lab.http_exchange import Answer, Send
from app.settings import ROOT
from app.web import same_origin
from tests.support import server as servers
from tests.support.people import make_user, sign_in
from tests.support.server import Server
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with servers.running() as server:
        yield server


def over_http(client: httpx.AsyncClient) -> Send:
    async def send(method: str, path: str, headers: Any, body: str) -> Answer:
        answer = await client.request(method, path, headers=headers, content=body)
        return Answer(answer.status_code, list(answer.headers.multi_items()), answer.text)

    return send


def shown_on(page: str) -> tuple[bool, list[int]]:
    """What a page of the lab shows: whether the defence held, and the status of each response in order."""
    return "decision-passed" in page, [int(status) for status in re.findall(r'status-\d">(\d+)<', page)]


@pytest.mark.parametrize("attack", attacks.ALL, ids=lambda attack: attack.name)
async def test_lab_gets_what_a_plain_http_client_gets(server: Server, attack: Attack) -> None:
    """The script over loopback HTTP and the button of the page, against one server process."""
    async with server.database(), httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        async with sandbox.temporary(over_http(client)) as plain:
            outcome = await attacks.run(attack, plain)
        page = await client.post(f"/learn/lab/attacks/{attack.name}")

    assert page.status_code == 200, page.text
    assert outcome.held, outcome.sentence
    assert shown_on(page.text) == (outcome.held, [one.status for one in plain.exchanges])
    assert html.escape(outcome.sentence, quote=False) in html.unescape(page.text)
    for at in outcome.checks:
        assert str(at) in page.text
        assert (ROOT / at.file).read_text().splitlines()[at.line - 1].strip() == at.code


@pytest.mark.parametrize("attack", attacks.ALL, ids=lambda attack: attack.name)
async def test_nothing_is_left_of_a_run_and_the_reader_is_not_touched(client: Visitor, attack: Attack) -> None:
    reader = await make_user()
    await sign_in(client, reader)
    await client.visit("/dashboard")
    before = await everything()

    page = await client.submit(f"/learn/lab/attacks/{attack.name}")

    assert page.status_code == 200
    assert shown_on(page.text)[0], page.text
    assert await everything() == before
    assert (await client.visit("/dashboard")).status_code == 200
    assert f"<bdi>{reader.name}</bdi>" in page.text  # the script's requests do not change who this request is from


async def everything() -> dict[str, list[Any]]:
    """All rows of accounts, sessions, the audit log and e-mails."""
    tables = {"users": user_rows, "sessions": session_rows, "events": event_rows, "emails": email_rows}
    return {name: await db.fetch_all(sa.select(table).order_by(table.c.id)) for name, table in tables.items()}


@pytest.mark.parametrize("attack", attacks.ALL, ids=lambda attack: attack.name)
async def test_page_holds_no_token_that_could_be_used(
    client: Visitor, attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    shorten: Callable[[str], str] = http_exchange.shortened
    monkeypatch.setattr(http_exchange, "shortened", lambda text: sent.append(text) or shorten(text))
    await sign_in(client, await make_user())

    page = (await client.submit(f"/learn/lab/attacks/{attack.name}")).text

    whole = re.findall(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", "\n".join(sent))
    assert whole
    for raw in whole:
        assert raw not in page
        assert raw.rpartition(".")[2] not in page


async def test_attack_that_succeeds_is_reported_as_succeeding(client: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is computed from the responses: without the defence it changes."""
    monkeypatch.setattr(rotation, "decide", lambda *_: Decision.REPLAY)
    monkeypatch.setattr(same_origin.SameOrigin, "_allowed", lambda *_: True)

    for name in ("stale-refresh", "cross-site-post", "copied-cookies"):
        page = (await client.submit(f"/learn/lab/attacks/{name}")).text
        assert not shown_on(page)[0], name
        assert "The attack succeeds." in page


async def test_script_that_stops_early_counts_as_a_failed_defence(
    client: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "decide", lambda *_: Decision.ENDED)

    page = await client.submit("/learn/lab/attacks/lost-answer")

    assert page.status_code == 200
    assert "Honest requests fail." in page.text


@pytest.mark.usefixtures("database")
async def test_temporary_account_of_a_stopped_worker_is_removed_by_the_next_run() -> None:
    left = await make_user(email=f"left{sandbox.DOMAIN}")
    stays = await make_user()
    await db.execute(sa.update(user_rows).values(created_at=db.utcnow() - timedelta(hours=1)))

    async with sandbox.temporary(over_http(httpx.AsyncClient())):
        pass

    assert [row.id for row in await db.fetch_all(sa.select(user_rows))] == [stays.id] != [left.id]


@pytest.mark.usefixtures("database")
async def test_temporary_account_is_removed_when_the_run_fails() -> None:
    with pytest.raises(ZeroDivisionError):
        async with sandbox.temporary(over_http(httpx.AsyncClient())):
            raise ZeroDivisionError

    assert await db.fetch_all(sa.select(user_rows)) == []


@pytest.mark.parametrize("attack", attacks.ALL, ids=lambda attack: attack.name)
def test_test_that_an_attack_names_exists(attack: Attack) -> None:
    file, _, name = attack.test.partition("::")
    tree = ast.parse((ROOT / file).read_text())

    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_names_are_unique_and_fit_a_url() -> None:
    names = [attack.name for attack in attacks.ALL]

    assert len(set(names)) == len(names) == 14
    assert all(re.fullmatch(r"[a-z-]+", name) for name in names)
