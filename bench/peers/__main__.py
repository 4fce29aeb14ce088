"""The same questions to this application, to Django with allauth and to the FastAPI full-stack template, in one run.

    python -m bench.peers     (make peers)

Each as its documentation sets it up, one process, its default hash and log, a database of its own on one PostgreSQL.
Compared is CPU time of the server's process. The template comes by git from where FASTAPI_TEMPLATE says, in the last
release that runs on Python 3.11. Writes its table into results.md and draws peers.svg.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.support import environment  # isort: skip  # before anything of the application
from app.auth import cookies
from bench.peers.chart import drawn
from bench.record import MACHINE, record
from bench.run import PRODUCTION, Ask, Connection, compare, getting
from bench.scale import megabytes
from tests.support import postgres
from tests.support.people import PASSWORD, make_user, start_session
from tests.support.server import free_port, running

HERE = Path(__file__).parent
PLACE = environment.ROOT / "var" / "peers"  # what is installed stays for the next time
TEMPLATE = os.environ.get("FASTAPI_TEMPLATE") or "https://github.com/fastapi/full-stack-fastapi-template"
RELEASE = "0.9.0"
# its migrations ask for an extension that the server from the wheel lacks
TABLES = "import sqlmodel, app.models, app.core.db as db; sqlmodel.SQLModel.metadata.create_all(db.engine)"
EMAIL = "robin@example.com"
UV = Path(sys.executable).with_name("uv")
KEY = "k3J9xaB7qLmZ2wR8tYvE4uI6oP0sDfGh1jKcNbV5"
OURS = "this application"
REQUESTS, LOGINS = 400, 16
WHO, PAGE, LOGIN, MEMORY, START = "who am I, JSON", "an account page", "login, own hash", "memory", "start"
UNITS = {MEMORY: "MB", START: "s"}


@dataclass(frozen=True)
class Side:
    """One that answers: the process that spends the time, how long it took to start, how to ask it each question."""

    pid: int
    start: float
    asks: dict[str, Callable[[], Awaitable[list[Ask]]]]  # connections are opened when it is their turn


async def ours(stack: ExitStack) -> Side:
    url, began = postgres.fresh(), time.perf_counter()
    server = stack.enter_context(running(DATABASE_URL=url, **PRODUCTION))
    start = time.perf_counter() - began
    async with server.database():
        token = (await start_session(await make_user(email=EMAIL))).access_token
    signed_in = {"Cookie": f"{cookies.access_name()}={token}", "Accept": "text/html"}
    asks = {
        WHO: partial(getting, server.port, "/api/auth/me", {"Authorization": f"Bearer {token}"}, EMAIL),
        PAGE: partial(getting, server.port, "/account", signed_in, EMAIL),
        LOGIN: partial(posting, server.port, "/api/auth/login", {"email": EMAIL, "password": PASSWORD}),
    }
    return Side(server.process.pid, start, asks)


async def django(stack: ExitStack) -> Side:
    python, port = PLACE / "django" / "bin" / "python", free_port()
    if not python.exists():
        done(UV, "venv", "--quiet", PLACE / "django")
        done(UV, "pip", "install", "--quiet", "--python", python, "-r", HERE / "django.txt")
    variables = {"SECRET_KEY": KEY} | where(postgres.empty())
    command = [python.with_name("gunicorn"), "--threads", "8", "--bind", f"127.0.0.1:{port}", "django_site"]
    done(python, "django_site.py", EMAIL, PASSWORD, cwd=HERE, variables=variables)
    parent, start = started(stack, command, HERE, variables, f"http://localhost:{port}/accounts/login/")
    worker = int(done("pgrep", "-P", parent))
    login = f"http://localhost:{port}/_allauth/app/v1/auth/login"
    token = answer(login, {"email": EMAIL, "password": PASSWORD})["meta"]["session_token"]
    asks = {
        WHO: partial(getting, port, "/_allauth/app/v1/auth/session", {"X-Session-Token": token}, EMAIL),
        PAGE: partial(getting, port, "/accounts/email/", {"Cookie": f"sessionid={token}"}, EMAIL),
        LOGIN: partial(posting, port, urlsplit(login).path, {"email": EMAIL, "password": PASSWORD}),
    }
    return Side(worker, start, asks)


async def fastapi(stack: ExitStack) -> Side:
    folder, port = PLACE / "template", free_port()
    if not folder.exists():
        done("git", "clone", "--quiet", "--branch", RELEASE, TEMPLATE, folder)
    folder /= "backend"
    done(UV, "sync", "--quiet", "--frozen", "--no-dev", cwd=folder, variables={"VIRTUAL_ENV": ""})
    python = folder / ".venv" / "bin" / "python"
    there = where(postgres.empty())
    variables = {
        "PROJECT_NAME": "Peer", "SECRET_KEY": KEY, "FIRST_SUPERUSER": EMAIL, "FIRST_SUPERUSER_PASSWORD": PASSWORD,
        "POSTGRES_SERVER": "127.0.0.1", "POSTGRES_PORT": there["PGPORT"], "POSTGRES_USER": "postgres",
        "POSTGRES_DB": there["PGDATABASE"], "PYTHONPATH": ".",
    }  # fmt: skip
    for step in (["-c", TABLES], ["app/initial_data.py"]):
        done(python, *step, cwd=folder, variables=variables)
    command = [python.with_name("fastapi"), "run", "--host", "127.0.0.1", "--port", str(port), "app/main.py"]
    healthy = f"http://localhost:{port}/api/v1/utils/health-check/"
    pid, start = started(stack, command, folder, variables, healthy)
    form = urlencode({"username": EMAIL, "password": PASSWORD})
    token = answer(f"http://localhost:{port}/api/v1/login/access-token", form)["access_token"]
    asks = {
        WHO: partial(getting, port, "/api/v1/users/me", {"Authorization": f"Bearer {token}"}, EMAIL),
        LOGIN: partial(posting, port, "/api/v1/login/access-token", form),
    }
    return Side(pid, start, asks)


async def posting(port: int, path: str, body: Any) -> list[Ask]:
    async def one() -> Ask:
        connection = await Connection().open(port)

        async def ask() -> None:
            status, said = await connection.ask("POST", path, None, body)
            assert status == 200, (path, status, said)

        return ask

    return [await one() for _ in range(4)]


def done(*command: Any, cwd: Path | None = None, variables: Mapping[str, str] | None = None) -> str:
    """What the command printed. Errors: RuntimeError with what it complained of."""
    ended = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **(variables or {})},
        capture_output=True,
        text=True,
    )
    if ended.returncode:
        raise RuntimeError(f"{command[0]}: {ended.stderr[-2000:]}")
    return ended.stdout


def where(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    return {"PGPORT": str(parts.port), "PGDATABASE": parts.path[1:]}


def started(
    stack: ExitStack, command: list[Any], cwd: Path, variables: dict[str, str], healthy: str
) -> tuple[int, float]:
    """Its process, and the seconds until it answered."""
    log, began = stack.enter_context((PLACE / "log").open("a")), time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd, env=os.environ | variables, stdout=log, stderr=log)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    while process.poll() is None:
        try:
            with urllib.request.urlopen(healthy, timeout=5):
                return process.pid, time.perf_counter() - began
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"{command} does not start")


def answer(url: str, body: Any) -> Any:
    kind = "application/x-www-form-urlencoded" if isinstance(body, str) else "application/json"
    content = (body if isinstance(body, str) else json.dumps(body)).encode()
    with urllib.request.urlopen(urllib.request.Request(url, content, {"Content-Type": kind})) as response:
        return json.load(response)


async def main() -> None:
    PLACE.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        kinds = {OURS: ours, "Django, allauth": django, "FastAPI template": fastapi}
        sides = {name: await kind(stack) for name, kind in kinds.items()}
        rows: dict[str, dict[str, float]] = {}
        for what, requests in ((WHO, REQUESTS), (PAGE, REQUESTS), (LOGIN, LOGINS)):
            asked = {name: (side.pid, await side.asks[what]()) for name, side in sides.items() if what in side.asks}
            rows[what] = {name: 1000 * seconds for name, seconds in (await compare(asked, requests)).items()}
        rows[MEMORY] = {name: megabytes(side.pid) for name, side in sides.items()}
        rows[START] = {name: side.start for name, side in sides.items()}
    ratios = {what: {name: value / row[OURS] for name, value in row.items()} for what, row in rows.items()}
    (HERE.parent / "peers.svg").write_text(drawn(ratios))
    table = [
        (
            what,
            *(f"{row[name]:.2f}" if name in row else "-" for name in sides),
            f"{rows[what][OURS]:.1f} {UNITS.get(what, 'ms of CPU')}",
        )
        for what, row in ratios.items()
    ]
    record("peers", f"{MACHINE}, PostgreSQL, one process each.", ("", *sides, "1 is"), table)


if __name__ == "__main__":
    asyncio.run(main())
