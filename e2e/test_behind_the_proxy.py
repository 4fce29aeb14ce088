"""As in production: Caddy with TLS, two processes, PostgreSQL. The files of deploy/, without a container engine."""

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app import db
from app.audit.models import event_rows
from e2e.conftest import PATIENCE
from tests.support import postgres
from tests.support.people import Person, make_user
from tests.support.proxy import Proxy, proxying
from tests.support.server import Server, free_port, running

pytestmark = pytest.mark.race

FORGED = "203.0.113.9"  # an address for documentation: nobody's


class Site:
    """The proxy, and the two processes behind it, each of which can be stopped and started again on its port."""

    def __init__(self, stack: ExitStack) -> None:
        self.port, plain_port = free_port(), free_port()
        self.db_url = postgres.fresh_for_the_site()
        self.ports = [free_port(), free_port()]
        self.stacks = [stack.enter_context(ExitStack()) for _ in self.ports]
        self.servers = [self.start(number) for number in range(2)]
        upstreams = [f"127.0.0.1:{port}" for port in self.ports]
        self.proxy: Proxy = stack.enter_context(proxying(self.origin, *upstreams, plain_port=plain_port))

    @property
    def origin(self) -> str:
        return f"https://localhost:{self.port}"

    def start(self, number: int) -> Server:
        server = running(
            arguments=["--forwarded-allow-ips", "127.0.0.1"],
            APP_ENV="production",
            APP_ARGON2_MEMORY_KIB="19456",
            DATABASE_URL=self.db_url,
            PORT=str(self.ports[number]),
            PUBLIC_ORIGIN=self.origin,
        )
        return self.stacks[number].enter_context(server)

    def restart(self, number: int) -> None:
        self.stacks[number].close()
        self.servers[number] = self.start(number)

    def client(self, source: str = "127.0.0.1", **options: Any) -> httpx.Client:
        """A program at that address of the loopback network."""
        transport = httpx.HTTPTransport(
            verify=ssl.create_default_context(cafile=self.proxy.authority), local_address=source
        )
        return httpx.Client(transport=transport, base_url=self.origin, timeout=30, **options)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(stack)


@pytest.fixture
def person(site: Site) -> Person:
    return site.servers[0].run(make_user)


@pytest.fixture
def page(site: Site, browser: Browser) -> Iterator[Page]:
    context: BrowserContext = browser.new_context(base_url=site.origin, ignore_https_errors=True)
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


# v5.0.0-3.3.1, v5.0.0-3.4.1, v5.0.0-12.2.1
def test_login_sets_host_cookies_over_tls(site: Site, page: Page, person: Person) -> None:
    answers = []
    page.on("response", lambda answer: answers.append(answer))

    sign_in(page, person)

    expect(page).to_have_url(f"{site.origin}/dashboard")
    jar = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert set(jar) == {"__Host-access", "__Host-refresh", "__Host-device", "__Host-method"}
    assert all(cookie["secure"] and cookie["httpOnly"] for cookie in jar.values())
    assert {cookie["sameSite"] for cookie in jar.values()} == {"Strict"}
    shown = next(answer for answer in answers if answer.url.endswith("/dashboard")).headers
    assert re.fullmatch(r"max-age=31536000; includeSubDomains", shown["strict-transport-security"])
    assert "server" not in shown
    assert "via" not in shown


# v5.0.0-15.3.4, v5.0.0-4.1.3
def test_client_address_is_the_visitors_and_cannot_be_forged(site: Site, person: Person) -> None:
    login = {"email": person.email, "password": person.password}
    headers = {"X-Forwarded-For": FORGED, "X-Real-IP": FORGED, "Forwarded": f"for={FORGED}"}

    with site.client("127.0.0.2", headers=headers) as client:
        assert client.post("/api/auth/login", json=login).status_code == 200

    assert addresses_of(site, person) == ["127.0.0.2"]


def test_forwarded_headers_of_a_client_that_bypasses_the_proxy_are_ignored(site: Site, person: Person) -> None:
    login = {"email": person.email, "password": person.password}
    past = httpx.HTTPTransport(local_address="127.0.0.3")

    with httpx.Client(transport=past, base_url=f"http://127.0.0.1:{site.ports[0]}", timeout=30) as client:
        headers = {"X-Forwarded-For": FORGED, "Host": f"localhost:{site.port}"}
        assert client.post("/api/auth/login", json=login, headers=headers).status_code == 200

    assert addresses_of(site, person) == ["127.0.0.3"]


# v5.0.0-12.1.1, v5.0.0-12.1.2, v5.0.0-11.6.2
@pytest.mark.parametrize(("version", "ciphers"), [("TLSv1_1", "ALL:@SECLEVEL=0"), ("TLSv1_2", "kRSA")])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_proxy_refuses_old_tls_and_keys_without_forward_secrecy(site: Site, version: str, ciphers: str) -> None:
    with pytest.raises(ssl.SSLError, match="ALERT"):  # the proxy's
        spoken_with(site, version, ciphers)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_proxy_speaks_new_tls(site: Site, version: str) -> None:
    assert spoken_with(site, version, "ECDHE+AESGCM") == version.replace("_", ".")


# v5.0.0-4.1.2
def test_plain_http_moves_pages_and_refuses_programs(site: Site) -> None:
    with httpx.Client(base_url=f"http://localhost:{site.proxy.plain_port}", timeout=30) as client:
        moved = client.get("/dashboard?a=b")
        refused = client.post("/api/auth/login", json={})

    assert (moved.status_code, moved.headers["location"]) == (308, f"{site.origin}/dashboard?a=b")
    assert refused.status_code == 403
    assert "set-cookie" not in moved.headers


# v5.0.0-13.4.5
@pytest.mark.parametrize("path", ["/metrics", "/readyz"])
def test_what_is_for_those_inside_is_not_shown_outside(site: Site, path: str) -> None:
    with site.client() as client:
        assert client.get(path).status_code == 404


def test_restart_of_one_process_after_the_other_is_noticed_by_nobody(site: Site, page: Page, person: Person) -> None:
    sign_in(page, person)
    expect(page).to_have_url(f"{site.origin}/dashboard")
    login = {"email": person.email, "password": person.password}
    with site.client() as client:
        pair = client.post("/api/auth/login", json=login).json()
        seen = Visits(client, {"Authorization": f"Bearer {pair['access_token']}"})

        for number in range(2):
            site.restart(number)
            page.goto("/account")
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            expect(page).to_have_url(f"{site.origin}/account")
            wait_until_the_proxy_knows(site)

        statuses = seen.end()

    assert len(statuses) > 20
    assert set(statuses) == {200, 303}


class Visits:
    """Somebody who reads and writes all the time, in a thread; `end()` says how each was answered."""

    def __init__(self, client: httpx.Client, headers: dict[str, str]) -> None:
        self._client, self._headers = client, headers
        self._statuses: list[Any] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._go_on)
        self._thread.start()

    def end(self) -> list[Any]:
        self._over.set()
        self._thread.join()
        return self._statuses

    def _go_on(self) -> None:
        asks: list[Callable[[], httpx.Response]] = [
            lambda: self._client.get("/api/auth/me", headers=self._headers),
            lambda: self._client.post("/account", data={"name": "On the way"}, headers=self._headers),
            lambda: self._client.get("/login"),
        ]
        while not self._over.is_set():
            for ask in asks:
                try:
                    self._statuses.append(ask().status_code)
                except httpx.HTTPError as error:
                    self._statuses.append(repr(error))
            time.sleep(0.02)


def spoken_with(site: Site, version: str, ciphers: str) -> str | None:
    context = ssl.create_default_context(cafile=site.proxy.authority)
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    context.set_ciphers(ciphers)
    with (
        socket.create_connection(("localhost", site.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secured,
    ):
        return secured.version()


def sign_in(page: Page, person: Person) -> None:
    page.goto("/login?next=/dashboard")
    page.get_by_label("E-mail").fill(person.email)
    page.get_by_label("Password", exact=True).fill(person.password)
    page.get_by_role("button", name="Sign in").click()


def addresses_of(site: Site, person: Person) -> list[str]:
    """Where the sign-ins of this person came from, as the audit log has it."""
    mine = sa.select(event_rows.c.ip).where(event_rows.c.user_id == person.id, event_rows.c.event == "login")
    return [row.ip for row in site.servers[0].run(lambda: db.fetch_all(mine))]


def wait_until_the_proxy_knows(site: Site) -> None:
    """It asks every two seconds who is ready again; the next one is not stopped before."""
    time.sleep(3)
