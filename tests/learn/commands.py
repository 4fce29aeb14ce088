"""The outputs of commands in the chapters: each command runs in its own process, as a user types it."""

import os
import subprocess
import sys
from collections.abc import Callable

from app.web import features
from tests.support.environment import ROOT

STRONG = "<48 random bytes>"  # in the chapters


def run(*arguments: str, **variables: str) -> str:
    """The command, what it prints, and its exit code."""
    real = {name: os.environ["APP_SECRET_KEY"] if value == STRONG else value for name, value in variables.items()}
    environment = {"PATH": os.environ["PATH"], "APP_ENV_FILE": os.devnull} | real
    words = [sys.executable, "-m", "app", *arguments]
    done = subprocess.run(
        words, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=100
    )
    shown = [f"{name}={value}" for name, value in variables.items() if value != STRONG]
    said = f"{done.stdout}{done.stderr}exit code {done.returncode}".replace(os.devnull, ".env")
    return f"$ {' '.join([*shown, 'python -m app', *arguments])}\n{said}"


def routes() -> str:
    """The header line, and the first route of each permission among those that stay in every clone."""
    go: set[str] = set()
    # eject:
    go = {route.path for feature in features.registered() if feature.eject for route in feature.routes}
    # /eject
    said = run("routes", APP_ENV="development", APP_SECRET_KEY=STRONG).splitlines()
    said = [line for line in said if not go & set(line.split())]
    permissions = ("PERMISSION", "Public", "SignedIn", "users:read", "users:write")
    firsts = [next(line for line in said if line.endswith(f" {permission}")) for permission in permissions]
    return "\n".join(["$ python -m app routes", *firsts, "..."])


def doctor() -> str:
    """Two of its findings: the others depend on the machine."""
    said = run(
        "doctor",
        APP_SECRET_KEY=STRONG,
        PUBLIC_ORIGIN="http://127.0.0.1:1",
        DATABASE_URL="postgresql://127.0.0.1:1/site",
    )
    lines = said.splitlines()
    wrong = [number for number, line in enumerate(lines) if line.startswith(("WRONG  address", "WRONG  database"))]
    return "\n".join([lines[0], *[line for number in wrong for line in lines[number : number + 2]], "...", lines[-1]])


COMMANDS: dict[str, Callable[[], str]] = {
    "routes": routes,
    "secret-too-short": lambda: run("routes", APP_SECRET_KEY="secret"),
    "secret-of-the-page": lambda: run("routes", APP_SECRET_KEY="your-secret-key-change-in-production"),
    "without-an-origin": lambda: run("serve", APP_SECRET_KEY=STRONG),
    "plain-http": lambda: run("serve", APP_SECRET_KEY=STRONG, PUBLIC_ORIGIN="http://app.example.org"),
    "doctor": doctor,
}
