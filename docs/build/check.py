"""Say whether a folder is where a step of the course ends: python check.py STEP

It works on a copy of the folder with a new database and a new key, so it changes nothing here.
"""

import asyncio
import base64
import http.client
import importlib
import io
import json
import os
import re
import runpy
import secrets
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import urlencode

HERE = Path.cwd()
ROBIN, ADMIN, PASSWORD = "robin@example.com", "admin@example.com", "seven wooden pegs"
WEAK_KEYS = ("", "secret", "your-secret-key-change-in-production", "a" * 64)
CHECKS: dict[int, list[Callable[[], None]]] = {}


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def cookies(self) -> dict[str, str]:
        """Name -> value, of the cookies that it sets."""
        return {name: value for name, value, _ in self.set_cookies}

    @property
    def set_cookies(self) -> list[tuple[str, str, str]]:
        """Name, value and attributes."""
        lines = [line.partition(";") for line in self.headers.get_all("set-cookie") or []]
        return [(*first.split("=", 1), rest.lower()) for first, _, rest in lines]


def check(step: int) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """A check of that step. Its docstring is what it prints; it raises where the folder is not right."""

    def keep(function: Callable[[], None]) -> Callable[[], None]:
        CHECKS.setdefault(step, []).append(function)
        return function

    return keep


# The folder's own modules and programs.


def module(name: str) -> Any:
    return importlib.import_module(name)


def manage(*words: str, typed: str = "") -> None:
    """python manage.py WORDS. Raises SystemExit where the program refuses."""
    before = sys.argv, sys.stdin
    sys.argv, sys.stdin = ["manage.py", *words], io.StringIO(typed)
    try:
        with redirect_stdout(io.StringIO()):
            runpy.run_path("manage.py", run_name="__main__")
    finally:
        sys.argv, sys.stdin = before


def row(query: str) -> Any:
    connection = sqlite3.connect("course.db", timeout=30)
    try:
        found = connection.execute(query).fetchone()
        connection.commit()
    finally:
        connection.close()
    return found


@contextmanager
def server(listening: socket.socket) -> Iterator[None]:
    import uvicorn

    config = uvicorn.Config(module("app").app, log_level="critical", lifespan="on")
    running = uvicorn.Server(config)
    thread = Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not running.started:
        assert thread.is_alive(), "the server does not start"
        time.sleep(0.01)
    try:
        yield
    finally:
        running.should_exit = True
        thread.join()


def send(method: str, path: str, body: str = "", **headers: str) -> Answer:
    """Header names are written with `_` for `-`."""
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["PORT"]), timeout=60)
    connection.request(method, path, body or None, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return Answer(answer.status, answer.headers, text)


def send_json(path: str, value: Any, method: str = "POST", **headers: str) -> Answer:
    return send(method, path, json.dumps(value), content_type="application/json", **headers)


def post_form(path: str, fields: dict[str, str], **headers: str) -> Answer:
    return send("POST", path, urlencode(fields), content_type="application/x-www-form-urlencoded", **headers)


def expect(answer: Answer, status: int) -> None:
    assert answer.status == status, f"it answers {answer.status}, not {status}"


def log_in(email: str = ROBIN, password: str = PASSWORD) -> Answer:
    return send_json("/api/login", {"email": email, "password": password})


def refresh(token: str) -> Answer:
    return send_json("/api/refresh", {"refresh_token": token})


def me(token: str) -> Answer:
    return send("GET", "/api/me", authorization=f"Bearer {token}")


def browser(email: str = ROBIN, password: str = PASSWORD) -> dict[str, str]:
    """The cookies of a browser that signed in."""
    return post_form("/login", {"email": email, "password": password}, sec_fetch_site="same-origin").cookies


def sent(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))


def forged(change: dict[str, Any], key: str | None = None, algorithm: str = "HS256") -> str:
    """A token with our claims, but for the change."""
    import jwt

    tokens = module("tokens")
    known = tokens.create("access", 1, 1) if _has_sessions() else tokens.create("access", 1)
    key = None if algorithm == "none" else key or os.environ["COURSE_SECRET_KEY"]
    return jwt.encode(claims(known) | change, key, algorithm=algorithm)


def _has_sessions() -> bool:
    return "sid" in Path("tokens.py").read_text()


# The checks, step by step.


@check(1)
def greets() -> None:
    """GET / answers with the greeting in JSON."""
    answer = send("GET", "/")
    expect(answer, 200)
    assert answer.json == {"message": "Hello"}, answer.text


@check(1)
def other_paths_are_not_there() -> None:
    """Any other path answers 404."""
    expect(send("GET", "/nothing"), 404)


@check(1)
def body_changes_nothing() -> None:
    """A body cannot change who is greeted, if there is /greet."""
    greeted = send_json("/greet/Robin", {"name": "Mallory"}, method="GET")
    assert greeted.status == 404 or "Mallory" not in greeted.text, greeted.text


@check(2)
def starts_with_a_strong_key() -> None:
    """The application starts with a key of 32 random bytes."""
    expect(send("GET", "/"), 200)


@check(2)
def weak_keys_are_refused() -> None:
    """It starts with no weak key, and not without one."""
    for key in (*WEAK_KEYS, None):
        assert _refusal(key), f"it accepts {key!r}"


@check(2)
def error_hides_the_key() -> None:
    """The refusal does not print the key."""
    assert "hunter2" not in _refusal("hunter2")


def _refusal(key: str | None) -> str:
    """What the settings say to that key; empty if they accept it."""
    before = os.environ.pop("COURSE_SECRET_KEY")
    os.environ |= {"COURSE_SECRET_KEY": key} if key is not None else {}
    try:
        module("settings").AppSettings(_env_file=None)
    except ValueError as error:
        return str(error)
    finally:
        os.environ["COURSE_SECRET_KEY"] = before
    return ""


@check(2)
def folder_has_a_key() -> None:
    """The file .env has a key, and git ignores the file."""
    found = re.search(r"^COURSE_SECRET_KEY=(.{43,})$", (HERE / ".env").read_text(), re.MULTILINE)
    assert found, "no key in .env"
    assert ".env" in (HERE / ".gitignore").read_text().split()


@check(3)
def password_is_hashed() -> None:
    """A password is stored as an Argon2id hash."""
    (stored,) = row("SELECT password_hash FROM users WHERE email = 'robin@example.com'")
    assert stored.startswith("$argon2id$"), "it is not a hash of Argon2id"


@check(3)
def hashes_are_salted() -> None:
    """Two users with the same password have different hashes."""
    assert row("SELECT count(DISTINCT password_hash) FROM users") == (2,), "they are the same"


@check(3)
def short_password_is_refused() -> None:
    """A short password is refused."""
    try:
        manage("add", "short@example.com", typed="short\n")
    except SystemExit:
        return
    raise AssertionError("it is accepted")


@check(3)
def password_can_be_verified() -> None:
    """Only the right password matches, and none matches a missing account."""
    passwords = module("passwords")

    async def answers() -> list[bool]:
        stored = await passwords.hashed(PASSWORD)
        tries = ((PASSWORD, stored), ("six wooden pegs", stored), (PASSWORD, None))
        return [await passwords.matches(*each) for each in tries]

    assert asyncio.run(answers()) == [True, False, False]


@check(4)
def token_comes_back() -> None:
    """A token that was made can be read, and says who and until when."""
    tokens = module("tokens")
    token = tokens.read(forged({}), "access")
    assert token, "it is refused"
    assert token.sub == "1", f"its user is {token.sub}"


@check(4)
def broken_tokens_are_refused() -> None:
    """Changed, unsigned, expired and foreign tokens are refused."""
    tokens = module("tokens")
    good = forged({})
    cases = {
        "a changed one": good[:-4] + ("AAAA" if good[-4:] != "AAAA" else "BBBB"),
        "one without a signature": forged({}, algorithm="none"),
        "one signed with another key": forged({}, key="x" * 43),
        "an expired one": forged({"exp": int(time.time()) - 1}),
        "one for another site": forged({"aud": "https://other.example"}),
        "one of another issuer": forged({"iss": "https://other.example"}),
        "one without an expiry": forged({"exp": None}),
        "an empty one": "",
    }
    for name, raw in cases.items():
        assert tokens.read(raw, "access") is None, f"{name} is accepted"


@check(4)
def kinds_are_kept_apart() -> None:
    """A refresh token is no access token, and the other way round."""
    tokens = module("tokens")
    assert tokens.read(forged({"token_type": "refresh"}), "access") is None
    assert tokens.read(forged({}), "refresh") is None


@check(5)
def right_password_gets_a_pair() -> None:
    """The right password gets an access token and a refresh token."""
    answer = log_in()
    expect(answer, 200)
    assert claims(answer.json["access_token"])["token_type"] == "access"
    assert claims(answer.json["refresh_token"])["token_type"] == "refresh"


@check(5)
def refusals_look_alike() -> None:
    """A wrong password, an unknown and a deactivated account get the same answer."""
    row("UPDATE users SET is_active = 0 WHERE email = 'admin@example.com'")
    refused = [log_in(password="six wooden pegs"), log_in("nobody@example.com"), log_in(ADMIN)]
    row("UPDATE users SET is_active = 1 WHERE email = 'admin@example.com'")
    assert {answer.status for answer in refused} == {401}, refused
    assert len({answer.text for answer in refused}) == 1, refused


@check(5)
def password_is_never_repeated() -> None:
    """No answer repeats what was sent."""
    for body in ({"email": ROBIN, "password": 4711}, {"email": ROBIN, "password": ["4711"]}, ["4711"]):
        answer = send_json("/api/login", body)
        assert 400 <= answer.status < 500, f"status {answer.status}"
        assert "4711" not in answer.text, "it repeats the password"


@check(6)
def anonymous_is_refused() -> None:
    """Without a token, /api/me answers 401 and names the scheme."""
    answer = send("GET", "/api/me")
    expect(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")


@check(6)
def access_token_opens() -> None:
    """With an access token, it says who you are."""
    assert me(log_in().json["access_token"]).json["email"] == ROBIN


@check(6)
def refresh_token_does_not_open() -> None:
    """With a refresh token, it answers 401."""
    expect(me(log_in().json["refresh_token"]), 401)


@check(6)
def forged_tokens_do_not_open() -> None:
    """With an unsigned or broken token, it answers 401."""
    for raw in (forged({}, algorithm="none"), forged({}, key="x" * 43), "a.b.c", ""):
        expect(me(raw), 401)


@check(6)
def deactivated_user_is_out() -> None:
    """A deactivated user is refused at once."""
    token = log_in().json["access_token"]
    row("UPDATE users SET is_active = 0 WHERE email = 'robin@example.com'")
    status = me(token).status
    row("UPDATE users SET is_active = 1 WHERE email = 'robin@example.com'")
    assert status == 401, f"status {status}"


@check(6)
def body_does_not_replace_the_request() -> None:
    """A body does not replace an argument of the handler."""
    token = log_in().json["access_token"]
    answer = send_json("/api/me", {"request": "x"}, method="GET", authorization=f"Bearer {token}")
    expect(answer, 200)


@check(7)
def cookies_are_out_of_reach() -> None:
    """A login sets two cookies, HttpOnly and SameSite."""
    answer = post_form("/login", {"email": ROBIN, "password": PASSWORD})
    expect(answer, 303)
    assert len(answer.set_cookies) == 2
    for name, _, attributes in answer.set_cookies:
        assert "httponly" in attributes, f"{name} has no HttpOnly"
        assert "samesite=lax" in attributes or "samesite=strict" in attributes, f"{name} has no SameSite"


@check(7)
def cookies_are_secure_behind_https() -> None:
    """With an https origin, they are Secure and their names begin with __Host-."""
    code = (
        "import pages, sessions\n"
        "answer = pages._with_cookies(pages.RedirectResponse('/'), sessions.Pair('one', 'two'))\n"
        "print(*(value.decode() for name, value in answer.raw_headers if name.lower() == b'set-cookie'), sep='\\n')"
    )
    environment = os.environ | {"COURSE_ORIGIN": "https://course.example.org"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert len(lines) == 2, done.stderr[-300:]
    for line in lines:
        assert line.startswith("__Host-"), line
        assert "; secure" in line.lower(), line


@check(7)
def page_opens_with_the_cookie() -> None:
    """The cookie opens the page; without it, you are sent to sign in."""
    assert ROBIN in send("GET", "/", cookie=sent(browser())).text
    expect(send("GET", "/"), 303)


@check(7)
def wrong_password_sets_no_cookie() -> None:
    """A wrong password sets no cookie."""
    answer = post_form("/login", {"email": ROBIN, "password": "six wooden pegs"})
    expect(answer, 422)
    assert not answer.cookies


@check(7)
def other_sites_cannot_post() -> None:
    """A POST that another site's page sends is refused."""
    for headers in (
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "https://evil.example"},
    ):
        expect(post_form("/login", {"email": ROBIN, "password": PASSWORD}, **headers), 403)


@check(7)
def every_answer_has_the_headers() -> None:
    """Every answer has the security headers, errors too."""
    for path in ("/login", "/nothing"):
        headers = send("GET", path).headers
        assert "frame-ancestors 'none'" in headers.get("content-security-policy", ""), path
        assert headers.get("cache-control") == "no-store", path


@check(8)
def refresh_token_gets_an_access_token() -> None:
    """A refresh token gets a new access token."""
    answer = refresh(log_in().json["refresh_token"])
    expect(answer, 200)
    expect(me(answer.json["access_token"]), 200)


@check(8)
def access_token_does_not_refresh() -> None:
    """An access token gets nothing."""
    expect(refresh(log_in().json["access_token"]), 401)


@check(8)
def browser_stays_signed_in() -> None:
    """A browser whose access token has expired is sent to /refresh, and from there back."""
    cookies = browser()
    only_refresh = {name: value for name, value in cookies.items() if name.endswith("refresh")}
    first = send("GET", "/", cookie=sent(only_refresh))
    assert first.headers["location"].startswith("/refresh"), first.headers["location"]
    second = send("GET", first.headers["location"], cookie=sent(only_refresh))
    assert second.headers["location"] == "/"
    assert ROBIN in send("GET", "/", cookie=sent(cookies | second.cookies)).text


@check(9)
def each_refresh_rotates() -> None:
    """Each refresh gives a new refresh token."""
    first = log_in().json["refresh_token"]
    second = refresh(first).json["refresh_token"]
    assert second != first
    expect(refresh(second), 200)


@check(9)
def reuse_ends_the_session() -> None:
    """A refresh token that is used twice ends the session: its successor and the access token are refused."""
    first = log_in().json
    second = refresh(first["refresh_token"]).json
    assert refresh(first["refresh_token"]).status == 401, "the old one is accepted"
    assert refresh(second["refresh_token"]).status == 401, "the new one is still good"
    assert me(second["access_token"]).status == 401, "the access token is still good"


@check(9)
def one_of_two_wins() -> None:
    """Of several requests with one refresh token, at most one gets the next pair."""
    token = log_in().json["refresh_token"]
    with ThreadPoolExecutor(8) as threads:
        statuses = [answer.status for answer in threads.map(refresh, [token] * 8)]
    assert statuses.count(200) <= 1, statuses
    assert set(statuses) <= {200, 401}, statuses


@check(9)
def other_sessions_go_on() -> None:
    """The user's other sessions go on."""
    other, first = log_in().json, log_in().json["refresh_token"]
    refresh(first), refresh(first)
    expect(me(other["access_token"]), 200)


@check(9)
def token_and_session_have_one_owner() -> None:
    """A token that names somebody else's session is refused."""
    sid = claims(log_in().json["access_token"])["sid"]
    expect(me(forged({"sid": sid})), 200)
    expect(me(forged({"sid": sid, "sub": "2"})), 401)


@check(9)
def table_has_no_tokens() -> None:
    """The table has the hash of a token's id, not the id."""
    token = log_in().json["refresh_token"]
    (stored,) = row("SELECT refresh_hash FROM sessions ORDER BY id DESC LIMIT 1")
    assert claims(token)["jti"] not in stored
    assert re.fullmatch("[0-9a-f]{64}", stored), stored


@check(9)
def logout_ends_the_session() -> None:
    """Signing out ends the session, so copies of its tokens are refused, too."""
    cookies = browser()
    answer = send("POST", "/logout", cookie=sent(cookies), sec_fetch_site="same-origin")
    expect(answer, 303)
    assert all(value.strip('"') == "" for value in answer.cookies.values())
    expect(send("GET", "/", cookie=sent(cookies)), 303)
    expect(refresh(next(value for name, value in cookies.items() if name.endswith("refresh"))), 401)


@check(10)
def users_are_kept_out() -> None:
    """A user who is no administrator gets 403, on the page and on its forms."""
    cookie = sent(browser())
    expect(send("GET", "/admin", cookie=cookie), 403)
    refused = send("POST", "/admin/users/2/deactivate", cookie=cookie, sec_fetch_site="same-origin")
    expect(refused, 403)
    assert row("SELECT is_active FROM users WHERE id = 2") == (1,)


@check(10)
def anonymous_is_kept_out() -> None:
    """Somebody who is not signed in is sent to sign in."""
    expect(send("GET", "/admin"), 303)
    expect(send("POST", "/admin/users/1/deactivate"), 303)
    assert row("SELECT is_active FROM users WHERE id = 1") == (1,)


@check(10)
def administrator_sees_the_users() -> None:
    """An administrator sees the users."""
    cookies = browser(ADMIN)
    assert cookies, "the administrator cannot sign in"
    assert ROBIN in send("GET", "/admin", cookie=sent(cookies)).text, "the page does not name Robin"


@check(10)
def other_sites_cannot_deactivate() -> None:
    """Another site cannot send the administrator's form, and a link cannot do it."""
    cookie = sent(browser(ADMIN))
    expect(send("POST", "/admin/users/1/deactivate", cookie=cookie, sec_fetch_site="cross-site"), 403)
    expect(send("GET", "/admin/users/1/deactivate", cookie=cookie), 405)
    assert row("SELECT is_active FROM users WHERE id = 1") == (1,)


@check(10)
def administrator_stays() -> None:
    """Administrators cannot deactivate themselves."""
    send("POST", "/admin/users/2/deactivate", cookie=sent(browser(ADMIN)), sec_fetch_site="same-origin")
    assert row("SELECT is_active FROM users WHERE id = 2") == (1,)


@check(10)
def deactivation_ends_sessions() -> None:
    """Deactivating a user ends the user's sessions at once."""
    token, cookie = log_in().json["access_token"], sent(browser(ADMIN))
    done = send("POST", "/admin/users/1/deactivate", cookie=cookie, sec_fetch_site="same-origin")
    expect(done, 303)
    expect(me(token), 401)
    expect(log_in(), 401)


def run(step: int) -> int:
    """The number of checks that fail."""
    failed = 0
    for each in CHECKS[step]:
        try:
            each()
        except Exception as error:
            failed += 1
            said = str(error).strip().splitlines() or [type(error).__name__]
            print(f"FAIL  {each.__doc__}\n      {said[0]}")
        else:
            print(f"ok    {each.__doc__}")
    return failed


def main(step: int) -> int:
    with tempfile.TemporaryDirectory() as folder, socket.socket() as listening:
        shutil.copytree(HERE, folder, ignore=shutil.ignore_patterns(".*", "__pycache__", "*.db"), dirs_exist_ok=True)
        os.chdir(folder)
        sys.path.insert(0, folder)
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        os.environ |= {"PORT": str(port), "COURSE_ORIGIN": f"http://localhost:{port}"}
        os.environ |= {"COURSE_SECRET_KEY": secrets.token_urlsafe(32)}
        try:
            failed = prepare_and_run(step, listening)
        except Exception as error:
            print(f"FAIL  The folder can be started.\n      {type(error).__name__}: {error}")
            failed = len(CHECKS[step])
        finally:
            os.chdir(HERE)
    print(f"Step {step}: {failed} of {len(CHECKS[step])} checks failed." if failed else f"Step {step} is complete.")
    return int(failed > 0)


def prepare_and_run(step: int, listening: socket.socket) -> int:
    if step >= 3:
        manage("create-tables")
        manage("add", ROBIN, typed=f"{PASSWORD}\n")
        manage("add", ADMIN, *(["--admin"] if step >= 10 else []), typed=f"{PASSWORD}\n")
    if step in (3, 4):
        return run(step)
    with server(listening):
        return run(step)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in map(str, CHECKS):
        sys.exit(f"python check.py STEP, with a step from 1 to {max(CHECKS)}")
    sys.exit(main(int(sys.argv[1])))
