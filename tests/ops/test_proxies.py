"""Caddy, nginx and HAProxy with the files of deploy/, in front of two processes: TLS, forms, addresses, checks."""

import asyncio
import os
import random
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from app import db
from app.audit.models import event_rows
from tests.cli.conftest import as_they_should_be
from tests.cli.examined import examine
from tests.support.front import IDLE, PROXIES, Site
from tests.support.people import make_user
from tests.support.server import Server, free_port, running
from tests.support.sink import listening

pytestmark = [pytest.mark.ops, pytest.mark.race]

FORGED = "203.0.113.9"  # an address for documentation: nobody's
SERIES = 10 if os.environ.get("NEED_PROGRAMS") else 1  # of forms: the first under `make ops`
FORMS, CLIENTS = (1000, 100) if SERIES > 1 else (200, 50)  # of each
IDLE_SECONDS = 1  # of the proxy
KEEP_ALIVE_SECONDS = IDLE_SECONDS + 10  # of the application: as much longer as the settings say (Caddy 120, here 130)
DISTANCE_SECONDS = 0.02
CHECKING = ("caddy", "haproxy")  # nginx has no check of its own
ROUND, ROUNDS = 10, 40  # requests, and how often they are tried


@pytest.fixture(scope="module", params=PROXIES)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with ExitStack() as stack:
        name = request.param
        shorter = {IDLE[name]: f"{IDLE[name].rpartition(' ')[0]} {IDLE_SECONDS}s"}
        kept = str(KEEP_ALIVE_SECONDS)
        yield Site(stack, name, shorter, distance=DISTANCE_SECONDS, APP_KEEP_ALIVE_SECONDS=kept)


# v5.0.0-12.2.1, v5.0.0-13.4.6
def test_page_arrives_over_tls_whole_and_not_compressed(site: Site) -> None:
    with site.client() as client:
        page, file = client.get("/login"), client.get("/static/app.css")

    assert page.status_code == 200
    assert "max-age=31536000" in page.headers["strict-transport-security"]
    assert "content-encoding" not in page.headers
    assert file.headers.get("content-encoding") in (None, "gzip", "zstd")
    assert page.headers.get("server", "nginx") == "nginx", "without a version"


def test_form_of_20_kb_passes_both_redirections_of_a_renewal(site: Site) -> None:
    """The access token is missing: 307 to /auth/resume, and back with new cookies, with the form each time."""
    person = site.servers[0].run(make_user)
    with site.client(follow_redirects=True, headers={"Origin": site.origin}) as client:
        signed_in = client.post("/login", data={"email": person.email, "password": person.password})
        assert signed_in.url.path == "/dashboard"
        client.cookies.delete("__Host-access")

        done = client.post("/account", data={"name": "Renewed", "filler": "x" * 20_000})

    assert [hop.status_code for hop in done.history] == [307, 307, 303]
    assert "Renewed" in done.text


# v5.0.0-15.3.4, v5.0.0-4.1.3
def test_address_in_the_audit_log_is_the_visitors_and_cannot_be_forged(site: Site) -> None:
    person = site.servers[0].run(make_user)
    headers = {
        "X-Forwarded-For": FORGED,
        "X-Real-IP": FORGED,
        "Forwarded": f"for={FORGED}",
        "X-Forwarded-Proto": "http",
    }
    with site.client("127.0.0.2", headers=headers) as client:
        login = {"email": person.email, "password": person.password}
        assert client.post("/api/auth/login", json=login).status_code == 200

    mine = sa.select(event_rows.c.ip).where(event_rows.c.user_id == person.id, event_rows.c.event == "login")
    assert [row.ip for row in site.servers[0].run(lambda: db.fetch_all(mine))] == ["127.0.0.2"]


def test_plain_http_moves_pages_and_refuses_programs(site: Site) -> None:
    with httpx.Client(base_url=f"http://localhost:{site.proxy.plain_port}", timeout=30) as client:
        moved, refused = client.get("/dashboard?a=b"), client.post("/api/auth/login", json={})

    assert (moved.status_code, moved.headers["location"]) == (308, f"{site.origin}/dashboard?a=b")
    assert (refused.status_code, refused.text.strip()) == (403, "Use https.")


# v5.0.0-13.4.5
@pytest.mark.parametrize("path", ["/metrics", "/readyz"])
def test_what_is_for_those_inside_is_not_shown_outside(site: Site, path: str) -> None:
    with site.client() as client:
        assert client.get(path).status_code == 404


def test_doctor_finds_nothing_to_fix(site: Site, tmp_path: Any) -> None:
    with listening() as sink:
        report = examine(
            as_they_should_be(tmp_path)
            | {
                "PUBLIC_ORIGIN": site.origin,
                "PORT": str(site.servers[0].port),
                "DATABASE_URL": site.url,
                "APP_SECRET_KEY": os.environ["APP_SECRET_KEY"],
                "SMTP_URL": sink.url,
                "MAIL_FROM": "site@example.com",
                "SSL_CERT_FILE": str(site.proxy.authority),
            },
            "--forwarded-allow-ips",
            "127.0.0.1",
        )

    assert not report.wrong, report.text
    assert "the visitor's own IP address is used (127.0.0.2)" in report.text


# v5.0.0-4.4.1
def test_handshake_of_a_websocket_reaches_the_application(site: Site) -> None:
    """There is none at this address, which the application says; a proxy that drops `Upgrade` shows the page."""
    with pytest.raises(InvalidStatus) as refused:
        connect(site.origin.replace("https:", "wss:") + "/login", origin=Origin(site.origin), ssl=site.tls())

    assert refused.value.response.status_code == 404


async def forms(site: Site, series: int) -> list[int]:
    """FORMS of them, each about when the proxy gives an idle connection up. Their statuses."""
    limits = httpx.Limits(max_connections=CLIENTS, max_keepalive_connections=CLIENTS)
    async with httpx.AsyncClient(
        verify=site.tls(), base_url=site.origin, timeout=60, limits=limits, headers={"Origin": site.origin}
    ) as client:

        async def visit(number: int) -> list[int]:
            chance, found = random.Random(series * CLIENTS + number), []
            for _ in range(FORMS // CLIENTS):
                await asyncio.sleep(chance.choice((1, 2)) * IDLE_SECONDS + chance.uniform(-0.1, 0.1))
                found.append((await client.post("/logout")).status_code)
            return found

        return [status for found in await asyncio.gather(*map(visit, range(CLIENTS))) for status in found]


@pytest.mark.anyio
@pytest.mark.parametrize("series", range(SERIES))
async def test_no_form_meets_a_connection_that_the_application_closes(site: Site, series: int) -> None:
    """A form is not sent again: a connection that ends under it is a 502."""
    began = time.monotonic()
    statuses = await forms(site, series)

    print(f"{site.name}: {len(statuses)} forms in {time.monotonic() - began:.0f} s, {statuses.count(303)} done")
    assert statuses == [303] * len(statuses)


def test_process_that_is_gone_costs_no_form(site: Site) -> None:
    """The last test with this site. nginx finds out when a connection is refused."""
    site.stacks[1].close()
    with site.client(headers={"Origin": site.origin}) as client:
        statuses = [client.post("/logout").status_code for _ in range(30)]

    assert statuses == [303] * 30


@pytest.mark.parametrize("name", CHECKING)
def test_process_whose_readyz_fails_is_asked_nothing(name: str) -> None:
    """It answers, and /healthz says ok: but a migration has not run in its database."""
    origin = f"https://localhost:{free_port()}"
    with running(PUBLIC_ORIGIN=origin) as ready, running(PUBLIC_ORIGIN=origin) as behind:
        behind.run(lambda: db.execute(sa.text("UPDATE alembic_version SET version_num = '0001'")))
        with (
            PROXIES[name](origin, f"127.0.0.1:{ready.port}", f"127.0.0.1:{behind.port}") as proxy,
            httpx.Client(verify=ssl.create_default_context(cafile=proxy.authority), base_url=origin) as client,
        ):
            for _ in range(ROUNDS):
                before = visits(behind)
                assert {client.get("/login").status_code for _ in range(ROUND)} == {200}
                if visits(behind) == before:
                    break
                time.sleep(0.5)

    assert visits(behind) == before
    assert visits(ready) >= ROUND


def visits(server: Server) -> int:
    return server.log().count("/login")
