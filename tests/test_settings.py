"""What stops the start: each a line that names the variable, all at once, exit code 2, and never the secret's value."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings, load_settings
from deploy.published_keys import KNOWN
from tests.support import account
from tests.support.environment import ROOT

STRONG = "k3J9x!aB7qLmZ2wR8tYvE4uI6oP0sDfGh1jKcNbV5"
FASTAPI = KNOWN["FastAPI's tutorial"]
FINE = {"APP_SECRET_KEY": STRONG, "PUBLIC_ORIGIN": "https://app.example.org"}


PROGRAM = "from app.settings import get_settings as s; print(s().env, s().debug, s().jwt_config.access_token_lifetime)"


def start(program: str = PROGRAM, **variables: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "APP_ENV_FILE": os.devnull, **variables}
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.pattern("settings")
@pytest.mark.pattern("practice-short")
def test_production_is_the_default_and_lifetimes_are_timedeltas() -> None:
    done = start(**FINE)

    assert (done.returncode, done.stdout.split()) == (0, ["production", "False", "0:15:00"]), done.stderr


# v5.0.0-13.2.3, v5.0.0-11.2.3, v5.0.0-11.6.1
@pytest.mark.pattern("pitfall-weak-key")
@pytest.mark.pattern("practice-env")
@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"APP_SECRET_KEY": ""}, "APP_SECRET_KEY is not set"),
        ({"APP_SECRET_KEY": "x7" * 15}, "APP_SECRET_KEY is too short"),
        ({"APP_SECRET_KEY": "your-secret-key-change-in-production"}, "APP_SECRET_KEY is easy to guess"),
        ({"APP_SECRET_KEY": "a" * 64}, "APP_SECRET_KEY is easy to guess"),
        ({"APP_SECRET_KEY": "my secret my secret my secret my secret"}, "APP_SECRET_KEY is easy to guess"),
        ({"APP_SECRET_KEY": FASTAPI}, "APP_SECRET_KEY is public"),
        ({"APP_SECRET_KEY": "qwertyuiopasdfghjklzxcvbnm1234567890"}, "APP_SECRET_KEY is easy to guess"),
        ({"APP_VERIFYING_SECRET_KEYS": "short"}, "APP_VERIFYING_SECRET_KEYS is too short"),
        ({"APP_VERIFYING_SECRET_KEYS": f"{STRONG}3,{FASTAPI}"}, "APP_VERIFYING_SECRET_KEYS is public"),
        ({"APP_METRICS_TOKEN": "1234567890" * 4}, "APP_METRICS_TOKEN is easy to guess"),
        ({"APP_METRICS_TOKEN": FASTAPI.upper()}, "APP_METRICS_TOKEN is public"),
        ({"DATABASE_URL": "postgresql://lanyard:postgres@db/lanyard"}, "DATABASE_URL contains a well-known password"),
        ({"DATABASE_URL": "postgresql://site:site@db/lanyard"}, "DATABASE_URL contains a well-known password"),
        ({"MAIL_URL": "smtps://name:password@mail.example"}, "MAIL_URL contains a well-known password"),
        ({"APP_JWT_ALGORITHM": "none"}, "APP_JWT_ALGORITHM must be one of"),
        ({"APP_JWT_ALGORITHM": "RS256"}, "APP_JWT_ALGORITHM must be one of"),
        ({"APP_ACCESS_TOKEN_SECONDS": "0"}, "APP_ACCESS_TOKEN_SECONDS must"),
        ({"APP_REFRESH_TOKEN_SECONDS": "-1"}, "APP_REFRESH_TOKEN_SECONDS must"),
        ({"APP_SESSION_SECONDS": "0"}, "APP_SESSION_SECONDS must"),
        ({"APP_ACCESS_TOKEN_SECONDS": "604800"}, "APP_ACCESS_TOKEN_SECONDS must be below"),
        ({"APP_ACCESS_TOKEN_SECONDS": "15 minutes"}, "APP_ACCESS_TOKEN_SECONDS"),
        ({"APP_ENV": "prod"}, "APP_ENV"),
        ({"APP_ARGON2_MEMORY_KIB": "8"}, "APP_ARGON2_MEMORY_KIB"),
        ({"PUBLIC_ORIGIN": ""}, "PUBLIC_ORIGIN is not set"),
        ({"PUBLIC_ORIGIN": "app.example.org"}, "PUBLIC_ORIGIN must"),
        ({"PUBLIC_ORIGIN": "https://app.example.org/path"}, "PUBLIC_ORIGIN must"),
        ({"PUBLIC_ORIGIN": "https://me:secret@app.example.org"}, "PUBLIC_ORIGIN must be scheme and host only"),
        ({"PUBLIC_ORIGIN": "https://app.example.org?next=1"}, "PUBLIC_ORIGIN must be scheme and host only"),
        ({"PUBLIC_ORIGIN": "https://app.example.org#top"}, "PUBLIC_ORIGIN must be scheme and host only"),
        ({"PUBLIC_ORIGIN": "https://app.example.org:70000"}, "PUBLIC_ORIGIN has no valid port"),
        ({"PUBLIC_ORIGIN": "https://127.1"}, "PUBLIC_ORIGIN has no valid host"),
        ({"PUBLIC_ORIGIN": "https://[::1"}, "PUBLIC_ORIGIN must be scheme and host only"),
        ({"PUBLIC_ORIGIN": "http://app.example.org"}, "PUBLIC_ORIGIN is plain http"),
        ({"PUBLIC_ORIGIN": "http://192.168.1.7:8000", "APP_ENV": "development"}, "PUBLIC_ORIGIN is plain http"),
        (
            {"PUBLIC_ORIGIN": "", "HOST": "192.168.1.7", "APP_ENV": "development"},
            "PUBLIC_ORIGIN is not set, and without",
        ),
        ({"DATABASE_URL": f"mysql://mail:{STRONG}@db/lanyard"}, "DATABASE_URL is for another driver"),
        ({"DATABASE_URL": "postgresql://db/x?sslmode=verify-full&sslrootcert=/no"}, "DATABASE_URL has an sslrootcert"),
        ({"PORT": "99999"}, "PORT"),
        ({"MAIL_URL": "mailgun+https://key@api.mailgun.net"}, "MAIL_URL must be postmark+https://KEY@"),
        ({"MAIL_URL": "postmark+https://api.postmarkapp.com"}, "MAIL_URL must be postmark+https://KEY@"),
        ({"MAIL_URL": "postmark+https://key@"}, "MAIL_URL must be postmark+https://KEY@"),
        ({"MAIL_URL": "resend+https://key@api.resend.com/emails"}, "MAIL_URL must be postmark+https://KEY@"),
        ({"MAIL_URL": f"resend+https://key:{STRONG}@api.resend.com"}, "MAIL_URL needs one key before the @"),
        (
            {"SMTP_URL": "smtp://mail.example", "MAIL_URL": "smtp://other.example"},
            "MAIL_URL and SMTP_URL, its older name",
        ),
        ({"SMTP_URL": "http://mail.example"}, "SMTP_URL must be smtp://"),
        ({"MAIL_URL": f"http://mail:{STRONG}@mail.example"}, "MAIL_URL must be smtp://"),
        ({"MAIL_URL": f"smtp://mail:{STRONG}@"}, "MAIL_URL must be smtp://"),
        ({"MAIL_URL": f"smtp://{STRONG}@mail.example"}, "MAIL_URL must be smtp://"),
        ({"MAIL_URL": f"smtp://mail:{STRONG}/@mail.example"}, "MAIL_URL must be smtp://"),
        ({"MAIL_URL": f"smtp://mail:{STRONG}#@mail.example"}, "MAIL_URL must be smtp://"),
        ({"MAIL_URL": "smtp://mail.example:70000"}, "MAIL_URL must be smtp://"),
        ({"MAIL_URL": "smtp://mail..example"}, "MAIL_URL must be smtp://"),
        ({"DATABASE_URL": f"postgresql://ann@{'a' * 64}.example/x"}, "DATABASE_URL has a host that no name server"),
        ({"MAIL_FROM": "Lanyard"}, "MAIL_FROM must be one address"),
        ({"MAIL_FROM": "a@mail.example, b@mail.example"}, "MAIL_FROM must be one address"),
        ({"MAIL_FROM": "Lanyard <a@mail.example>\r\nBcc: b@mail.example"}, "MAIL_FROM must be one address"),
        ({"MAIL_FROM": "Lanyard <a@mail.example> <b@mail.example>"}, "MAIL_FROM must be one address"),
        (
            {"APP_ADDRESS_LETTERS_PER_HOUR": "5"},
            "APP_ADDRESS_LETTERS_PER_HOUR has been renamed: use APP_ADDRESS_EMAILS_PER_HOUR",
        ),
        ({"APP_DELETION_GRACE_DAYS": "0"}, "APP_DELETION_GRACE_DAYS"),
        ({"APP_SECURITY_CONTACT": "security@app.example.org"}, "APP_SECURITY_CONTACT must begin with mailto:"),
        ({"APP_SECURITY_CONTACT": "http://app.example.org"}, "APP_SECURITY_CONTACT must begin with"),
        *[
            ({"APP_PASSKEY_SITE": host}, "APP_PASSKEY_SITE must be a host name alone")
            for host in (
                "https://app.example.org",
                "app.example.org:443",
                "App.example.org",
                "192.0.2.7",
                "[::1]",
                "a b",
            )
        ],
        ({"APP_RELATED_ORIGINS": "http://app.example.org"}, "APP_RELATED_ORIGINS must be https"),
        ({"APP_RELATED_ORIGINS": "https://a.example,app.example.org"}, "APP_RELATED_ORIGINS must be scheme and host"),
        ({"APP_RELATED_ORIGINS": "https://a.example,"}, "APP_RELATED_ORIGINS must be scheme and host"),
        ({"APP_SECURITY_CONTACT": "mailto:a@app.example.org\nX: y"}, "APP_SECURITY_CONTACT must begin with"),
    ],
    ids=str,
)
def test_unsafe_value_stops_the_start_in_one_line(changes: dict[str, str], variable: str) -> None:
    done = start(**FINE | changes)

    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert variable in done.stderr
    assert "Traceback" not in done.stderr
    assert STRONG not in done.stderr


# v5.0.0-13.3.1
def test_secret_may_be_a_file_and_the_environment_wins(tmp_path: Path) -> None:
    (tmp_path / "APP_SECRET_KEY").write_text(f"{STRONG}\n")
    (tmp_path / "PUBLIC_ORIGIN").write_text("https://file.example.org\n")
    program = "from app.settings import get_settings as s; print(s().secret_key, s().public_origin)"
    variables = {"APP_SECRETS_DIR": str(tmp_path), "PUBLIC_ORIGIN": "https://app.example.org"}

    done = start(program, **variables)

    assert done.stdout.split() == [STRONG, "https://app.example.org"], done.stderr


def test_folder_of_secrets_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    done = start(**FINE, APP_SECRETS_DIR=str(tmp_path / "nowhere"))

    assert done.returncode == 2
    assert done.stderr.startswith("lanyard: APP_SECRETS_DIR names no folder")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"PUBLIC_ORIGIN": "http://app.example.org", "COOKIE_INSECURE": "true"},
        {"PUBLIC_ORIGIN": "http://192.168.1.7:8000", "COOKIE_INSECURE": "true", "APP_ENV": "development"},
        {"PUBLIC_ORIGIN": "", "HOST": "192.168.1.7", "COOKIE_INSECURE": "true", "APP_ENV": "development"},
        {"PUBLIC_ORIGIN": "http://localhost:8000"},
        {"PUBLIC_ORIGIN": "http://two.localhost:8000"},
        {"PUBLIC_ORIGIN": "http://[::1]:8000"},
        {"PUBLIC_ORIGIN": "", "HOST": "0.0.0.0", "APP_ENV": "development"},
        {"PUBLIC_ORIGIN": "", "HOST": "::", "APP_ENV": "development"},
    ],
    ids=str,
)
def test_plain_http_needs_to_be_said_twice_unless_it_stays_on_this_machine(changes: dict[str, str]) -> None:
    done = start(**FINE | changes)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("settings", "origin", "host"),
    [
        ({"public_origin": "HTTPS://App.Example.org:443/"}, "https://app.example.org", "app.example.org"),
        ({"public_origin": "https://b\u00fccher.example"}, "https://xn--bcher-kva.example", "xn--bcher-kva.example"),
        ({"public_origin": "https://[2001:DB8::0:7]:8443"}, "https://[2001:db8::7]:8443", "[2001:db8::7]:8443"),
        ({}, "http://localhost:8000", "localhost:8000"),
        ({"host": "::", "port": 8001}, "http://localhost:8001", "localhost:8001"),
        ({"host": "0.0.0.0", "port": 80}, "http://localhost", "localhost"),
        ({"host": "127.0.0.1"}, "http://localhost:8000", "localhost:8000"),
        ({"host": "192.168.1.7", "cookie_insecure": True}, "http://192.168.1.7:8000", "192.168.1.7:8000"),
        ({"host": "FD00::0:7", "cookie_insecure": True}, "http://[fd00::7]:8000", "[fd00::7]:8000"),
    ],
    ids=str,
)
def test_origin_is_the_one_that_browsers_send(settings: dict[str, Any], origin: str, host: str) -> None:
    made = Settings(_env_file=None, secret_key=STRONG, env="development", **{"public_origin": "", **settings})

    assert made.origin == origin
    assert made.hosts[0] == host


@pytest.mark.parametrize(
    "changes",
    [
        {"MAIL_URL": "postmark+https://a-key@api.postmarkapp.com"},
        {"MAIL_URL": "resend+https://re_a%2Fkey@api.resend.com"},
        {"SMTP_URL": "smtp://mail.example", "MAIL_URL": "smtp://mail.example"},
        {"MAIL_URL": "smtp://localhost:1025"},
        {"MAIL_URL": "smtp://mail%40example.com:p%40ss@mail.example:587"},
        {"MAIL_URL": "smtps://mail:%3Djq9%2Fdm2@mail.example"},
        {"MAIL_FROM": "no-reply@mail.example"},
        {"MAIL_FROM": "The Sender <no-reply@mail.example>"},
        {"MAIL_FROM": "Büro <no-reply@mail.example>"},
    ],
    ids=str,
)
def test_mail_server_and_sender_as_people_write_them(changes: dict[str, str]) -> None:
    done = start(**FINE | changes)

    assert done.returncode == 0, done.stderr


def test_variables_of_other_programs_change_nothing() -> None:
    """The framework's settings have no prefix: DEBUG=release would crash it, VERSION and TITLE would be taken over."""
    done = start(**FINE, DEBUG="release", VERSION="9", TITLE="x", SECRET_KEY="y", ENVIRONMENT="z", TIMEZONE="q")

    assert (done.returncode, done.stdout.split()[0]) == (0, "production"), done.stderr


@pytest.mark.pattern("parameters")
@pytest.mark.pattern("complete-config")
@pytest.mark.pattern("minimal-config")
def test_jwt_config_carries_issuer_audience_and_real_lifetimes() -> None:
    made = {
        "secret_key": STRONG,
        "public_origin": "https://app.example.org",
        "issuer": "",
        "audience": "api",
        "env": "development",
    }

    config = Settings(_env_file=None, **made).jwt_config

    assert (config.algorithm, config.issuer, config.audience) == ("HS256", "https://app.example.org", "api")
    assert str(config.refresh_token_lifetime) == "7 days, 0:00:00"


COMMANDS = ("serve", "migrate", "doctor", "prune", "promote x@example.org", "rotate-keys add")
WRONG = {
    "APP_SECRET_KEY": "short",
    "APP_JWT_ALGORITHM": "none",
    "APP_ACCESS_TOKEN_SECONDS": "604800",
    "APP_PASSWORD_MIN_LENGTH": "129",
    "APP_ARGON2_MEMORY_KIB": "8",
    "APP_REQUEST_MEMORY_BYTES": "1048576",
    "PORT": "none",
    "PUBLIC_ORIGIN": "http://app.example.org",
    "DATABASE_URL": "postgresql://ann:hunter2@db/lanyard?ssl=true",
    "MAIL_URL": "smtp://ann:postgres@mail.example",
    "MAIL_FROM": "nobody",
}
FAULTS = (
    "APP_SECRET_KEY is too short: use at least 32 bytes (openssl rand -base64 48)",
    "APP_JWT_ALGORITHM must be one of HS256, EdDSA",
    "APP_ACCESS_TOKEN_SECONDS must be below APP_REFRESH_TOKEN_SECONDS",
    "APP_PASSWORD_MIN_LENGTH must not be above APP_PASSWORD_MAX_LENGTH",
    "APP_ARGON2_MEMORY_KIB must be at least 19456",
    "APP_REQUEST_MEMORY_BYTES must be at least twice APP_BODY_LIMIT_BYTES",
    "PORT input should be a valid integer, unable to parse string as an integer",
    "PUBLIC_ORIGIN is plain http: use https, or set COOKIE_INSECURE=true if you accept the risk",
    "DATABASE_URL has an option that means nothing here, ssl: write sslmode=require, or better sslmode=verify-full",
    "MAIL_URL contains a well-known password: change it there, then here",
    "MAIL_FROM must be one address, such as Lanyard <no-reply@example.com>",
)


@pytest.mark.parametrize("command", [command for command in COMMANDS if not command.startswith("rotate-keys")])
def test_every_command_names_everything_that_is_wrong_at_once(command: str) -> None:
    """`rotate-keys` alone works with a secret that no server would start with."""
    done = run_command(command, **WRONG)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines() == [f"lanyard: {fault}" for fault in FAULTS]


def test_everything_that_is_missing_is_named_at_once() -> None:
    done = run_command("serve")

    assert done.returncode == 2
    assert [line.partition(" is not set:")[0] for line in done.stderr.splitlines()] == [
        "lanyard: APP_SECRET_KEY", "lanyard: PUBLIC_ORIGIN",
    ]  # fmt: skip


@pytest.mark.parametrize("place", ["file", "folder", "file in the folder", "folder in the folder"])
def test_settings_that_this_account_may_not_read_are_named(tmp_path: Path, place: str) -> None:
    folder, secret = tmp_path / "secrets", tmp_path / "secrets" / "app_secret_key"
    folder.mkdir()
    (tmp_path / "env").touch()
    secret.mkdir() if place == "folder in the folder" else secret.write_text(STRONG)
    said, reason = {
        "file": (tmp_path / "env", "Permission denied"),
        "folder": (folder, "Permission denied"),
        "file in the folder": (secret, "Permission denied"),
        "folder in the folder": (secret, "Is a directory"),
    }[place]
    if reason == "Permission denied":
        said.chmod(0)

    done = run_command("doctor", account.unprivileged, APP_ENV_FILE=str(tmp_path / "env"), APP_SECRETS_DIR=str(folder))
    said.chmod(0o700)

    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(rf"lanyard: .*{said}\)?( cannot be read)?: {reason}\n", done.stderr)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_names_the_encoding_of_a_file_that_it_cannot_read(tmp_path: Path, command: str) -> None:
    done = run_with_file(tmp_path, "\ufeffAPP_ENV=development\n".encode("utf-16-le"), "-m", "app", *command.split())

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"lanyard: {tmp_path / 'env'} is UTF-16: save it as UTF-8\n"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("\ufeffAPP_ENV=development\n".encode("utf-16-be"), "UTF-16"),
        ("APP_ENV=development\n".encode("utf-16-le"), "UTF-16"),
        ("APP_ENV=development\n".encode("utf-16-be"), "UTF-16"),
        ("MAIL_FROM=Zoë <zoe@example.org>\n".encode("latin-1"), "not UTF-8"),
    ],
)
def test_file_of_settings_that_is_not_utf_8_is_refused_in_one_line(tmp_path: Path, content: bytes, fault: str) -> None:
    done = run_with_file(tmp_path, content, "-c", PROGRAM)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"lanyard: {tmp_path / 'env'} is {fault}: save it as UTF-8\n"


def run_with_file(folder: Path, content: bytes, *command: str) -> "subprocess.CompletedProcess[str]":
    file = folder / "env"
    file.write_bytes(content)
    environment = {"PATH": os.environ["PATH"], "APP_ENV_FILE": str(file)}
    return subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True)


def run_command(
    command: str, before: Callable[[], None] | None = None, **variables: str
) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "APP_ENV_FILE": os.devnull} | variables
    return subprocess.run(
        [sys.executable, "-m", "app", *command.split()],
        cwd=ROOT, env=environment, capture_output=True, text=True, preexec_fn=before,
    )  # fmt: skip


def test_older_name_of_the_mail_servers_setting_is_still_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_URL", "smtp://mail.example:2525")

    assert load_settings().mail_url == "smtp://mail.example:2525"
