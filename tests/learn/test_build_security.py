"""The finished folder of the course under attack: the same questions as tests/contract asks of the application.

The folder is written from the text of the ten steps, and its server runs in an environment of its own.
"""

import os
import secrets
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.learn import course
from tests.support import forge
from tests.support.ports import free_port

pytestmark = pytest.mark.long

ROBIN, ADMIN, PASSWORD = "robin@example.com", "admin@example.com", "seven wooden pegs"
SAME = {"Sec-Fetch-Site": "same-origin"}


@dataclass(frozen=True)
class Site:
    folder: Path
    origin: str
    key: str

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.origin, timeout=120)

    def log_in(self, email: str = ROBIN, password: str = PASSWORD) -> httpx.Response:
        return self.post("/api/login", {"email": email, "password": password})

    def refresh(self, token: str) -> httpx.Response:
        return self.post("/api/refresh", {"refresh_token": token})

    def me(self, token: str) -> httpx.Response:
        with self.client() as client:
            return client.get("/api/me", headers={"Authorization": f"Bearer {token}"})

    def post(self, path: str, body: Any) -> httpx.Response:
        with self.client() as client:
            return client.post(path, json=body)

    @contextmanager
    def browser(self, email: str = ROBIN) -> Iterator[httpx.Client]:
        with self.client() as client:
            answer = client.post("/login", data={"email": email, "password": PASSWORD}, headers=SAME)
            assert answer.status_code == 303
            yield client

    def fetch(self, query: str) -> list[Any]:
        with closing(sqlite3.connect(self.folder / "course.db")) as connection, connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def serve(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Site]]:
    """Starts a server with Robin and an administrator, each time with a folder of its own."""
    running = []

    def start() -> Site:
        folder, port = tmp_path_factory.mktemp("site"), free_port()
        course.write_files(folder)
        site = Site(folder, f"http://localhost:{port}", secrets.token_urlsafe(32))
        environment = {"PATH": os.environ["PATH"], "COURSE_ORIGIN": site.origin, "COURSE_SECRET_KEY": site.key}
        for words in (["create-tables"], ["add", ROBIN], ["add", ADMIN, "--admin"]):
            command = [programs / "python", "manage.py", *words]
            subprocess.run(command, cwd=folder, env=environment, input=f"{PASSWORD}\n", text=True, check=True)
        running.append(course.start(programs, folder, environment, port, folder / "server.log"))
        return site

    yield start
    for process in running:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def site(serve: Callable[[], Site]) -> Site:
    return serve()


def set_cookies(answer: httpx.Response) -> dict[str, set[str]]:
    """Name -> attributes."""
    lines = [line.split("; ") for line in answer.headers.get_list("set-cookie")]
    return {line[0].partition("=")[0]: {part.lower() for part in line[1:]} for line in lines}


def test_reuse_ends_the_session_and_no_other(site: Site) -> None:
    other, first = site.log_in().json(), site.log_in().json()
    second = site.refresh(first["refresh_token"]).json()
    third = site.refresh(second["refresh_token"]).json()

    reused = site.refresh(first["refresh_token"])

    assert reused.status_code == 401
    assert "token" not in reused.text
    assert site.refresh(third["refresh_token"]).status_code == 401
    assert site.me(third["access_token"]).status_code == 401
    assert site.me(other["access_token"]).status_code == 200


def test_one_of_many_requests_with_one_token_gets_the_next_pair(site: Site) -> None:
    token = site.log_in().json()["refresh_token"]

    with ThreadPoolExecutor(12) as threads:
        statuses = [answer.status_code for answer in threads.map(site.refresh, [token] * 12)]

    assert statuses.count(200) == 1
    assert statuses.count(401) == 11


def test_refresh_token_is_no_access_token_nor_the_other_way_round(site: Site) -> None:
    pair = site.log_in().json()

    assert site.me(pair["refresh_token"]).status_code == 401
    assert site.refresh(pair["access_token"]).status_code == 401
    assert site.me(pair["access_token"]).status_code == 200


@pytest.mark.parametrize("where", ["header", "cookie"])
def test_forged_tokens_are_refused(site: Site, where: str) -> None:
    pair = site.log_in().json()
    good = pair["access_token"]
    key = site.key.encode()
    forgeries = {
        "alg none": forge.resign(good, header={"alg": "none"}, key=""),
        "another key": forge.resign(good, key=b"x" * 43),
        "expired": forge.resign(good, key=key, exp=forge.claims(good)["iat"] - 1),
        "no expiry": forge.resign(good, key=key, exp=None),
        "another site": forge.resign(good, key=key, aud="https://other.example"),
        "another issuer": forge.resign(good, key=key, iss="https://other.example"),
        "no audience": forge.resign(good, key=key, aud=None),
        "no session": forge.resign(good, key=key, sid=None),
        "a session that is not there": forge.resign(good, key=key, sid=999999),
        "no kind": forge.resign(good, key=key, token_type=None),
        "HS512": forge.resign(good, key=key + b"x" * 43, header={"alg": "HS512"}),
        "not a token": "a.b.c",
    }

    with site.client() as client:
        for name, raw in forgeries.items():
            headers = {"Authorization": f"Bearer {raw}"} if where == "header" else {"Cookie": f"access={raw}"}
            answer = client.get("/api/me", headers=headers)
            assert answer.status_code == 401, name
            assert answer.headers["www-authenticate"] == "Bearer"
    resigned = forge.resign(good, key=key)
    assert site.me(resigned).status_code == 200  # the forger's tool makes tokens that are accepted


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(site: Site) -> None:
    with site.client() as client:
        answer = client.post("/login", data={"email": ROBIN, "password": PASSWORD}, headers=SAME)

    cookies = set_cookies(answer)
    assert set(cookies) == {"access", "refresh"}
    for attributes in cookies.values():
        assert {"httponly", "path=/", "samesite=lax"} <= attributes
        assert not any(attribute.startswith("domain") for attribute in attributes)


def test_cookies_have_the_host_prefix_behind_https(programs: Path, site: Site) -> None:
    code = (
        "import pages, sessions\n"
        "answer = pages._with_cookies(pages.RedirectResponse('/'), sessions.Pair('one', 'two'))\n"
        "print(*(value.decode() for name, value in answer.raw_headers if name.lower() == b'set-cookie'), sep='\\n')"
    )
    environment = {"COURSE_ORIGIN": "https://course.example.org", "COURSE_SECRET_KEY": site.key}

    done = subprocess.run(
        [programs / "python", "-c", code], cwd=site.folder, env=environment, capture_output=True, text=True, check=True
    )

    lines = done.stdout.splitlines()
    assert [line.partition("=")[0] for line in lines] == ["__Host-access", "__Host-refresh"]
    assert all("; Secure" in line for line in lines)


@pytest.mark.parametrize("path", ["/login", "/logout", "/admin/users/1/deactivate", "/api/login"])
def test_what_another_site_sends_is_refused(site: Site, path: str) -> None:
    sent = (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "none", "Origin": "https://evil.example"},
    )
    with site.browser(ADMIN) as client:
        for headers in sent:
            answer = client.post(path, data={"email": ROBIN, "password": PASSWORD}, headers=headers)
            assert answer.status_code == 403, headers
            assert not set_cookies(answer)
        assert client.get("/").status_code == 200
    assert site.fetch("SELECT is_active FROM users WHERE id = 1") == [(1,)]


def test_wrong_unknown_and_impossible_logins_look_alike(site: Site) -> None:
    attempts = ((ROBIN, "six wooden pegs"), ("nobody@example.com", PASSWORD), ("x\x00y", PASSWORD), ("", ""))
    answers = [site.log_in(*attempt) for attempt in attempts]

    assert {(answer.status_code, answer.text) for answer in answers} == {(401, answers[0].text)}
    with site.client() as client:
        for email, password in attempts:
            page = client.post("/login", data={"email": email, "password": password}, headers=SAME)
            assert page.status_code == 422
            assert "Wrong e-mail or password." in page.text
            assert not set_cookies(page)


@pytest.mark.parametrize("body", [{"email": ROBIN, "password": 4711}, {"password": "4711"}, ["4711"], "4711", None])
def test_no_answer_repeats_what_was_sent(site: Site, body: Any) -> None:
    answer = site.post("/api/login", body)

    assert answer.status_code in (400, 422)
    assert "4711" not in answer.text


def test_body_fills_no_other_argument(site: Site) -> None:
    token = site.log_in().json()["access_token"]
    with site.client() as client:
        answer = client.request(
            "GET", "/api/me", json={"request": "x", "self": 1}, headers={"Authorization": f"Bearer {token}"}
        )

    assert answer.json()["email"] == ROBIN


def test_roles_are_kept_apart(site: Site) -> None:
    with site.browser() as robin, site.browser(ADMIN) as admin, site.client() as anonymous:
        pages = [client.get("/admin").status_code for client in (admin, robin, anonymous)]
        posts = [
            client.post("/admin/users/2/deactivate", headers=SAME).status_code for client in (admin, robin, anonymous)
        ]
        by_link = admin.get("/admin/users/1/deactivate").status_code

    assert pages == [200, 403, 303]
    assert posts == [303, 403, 303]  # the administrator's own account stays
    assert by_link == 405
    assert site.fetch("SELECT is_active FROM users ORDER BY id") == [(1,), (1,)]


def test_logout_ends_what_was_copied(site: Site) -> None:
    with site.browser() as client:
        copied = dict(client.cookies)
        answer = client.post("/logout", headers=SAME)

    assert all("max-age=0" in attributes for attributes in set_cookies(answer).values())
    assert site.me(copied["access"]).status_code == 401
    assert site.refresh(copied["refresh"]).status_code == 401


def test_login_never_goes_on_with_planted_tokens(site: Site) -> None:
    """Session fixation."""
    planted = site.log_in(ADMIN).json()
    with site.client() as client:
        client.cookies.update({"access": planted["access_token"], "refresh": planted["refresh_token"]})
        answer = client.post("/login", data={"email": ROBIN, "password": PASSWORD}, headers=SAME)

    new = {
        forge.claims(line.partition("=")[2].partition(";")[0])["sid"] for line in answer.headers.get_list("set-cookie")
    }
    assert len(new) == 1
    assert forge.claims(planted["access_token"])["sid"] not in new


def test_database_has_no_password_and_no_token(site: Site) -> None:
    pair = site.log_in().json()
    stored = (site.folder / "course.db").read_bytes()

    for secret in (PASSWORD, pair["access_token"], forge.claims(pair["refresh_token"])["jti"], site.key):
        assert secret.encode() not in stored


@pytest.mark.parametrize(("path", "status"), [("/login", 200), ("/", 303), ("/nothing", 404), ("/api/me", 401)])
def test_every_answer_has_the_headers_and_names_no_internals(site: Site, path: str, status: int) -> None:
    with site.client() as client:
        answer = client.get(path)

    assert answer.status_code == status
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "Traceback" not in answer.text


def test_failure_is_answered_without_its_cause(serve: Callable[[], Site]) -> None:
    """The last of the tests: it takes a table away from a site of its own."""
    site = serve()
    site.fetch("DROP TABLE users")

    answer = site.log_in()

    assert answer.status_code == 500
    assert answer.json() == {"detail": "Something went wrong"}
    assert "content-security-policy" in answer.headers


def test_markup_in_an_address_is_text(serve: Callable[[], Site]) -> None:
    site = serve()
    site.fetch("UPDATE users SET email = '<script>alert(1)</script>' WHERE id = 1")

    with site.browser(ADMIN) as client:
        page = client.get("/admin").text

    assert "<script>" not in page
    assert "&lt;script&gt;" in page
