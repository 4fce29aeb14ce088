"""docs/decisions.md says what the code does: its tables against settings, constants and imports."""

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from app.admin.api import Confirmed, UserPatch
from app.audit import events
from app.auth import claims, email_links, passwords
from app.auth.accounts import login_flow
from app.auth.pages import login, signup
from app.auth.rate_limit import limits
from app.db import sqlite
from app.db.database import ANSWER_SECONDS, POOL_SECONDS, TRANSACTION_SECONDS
from app.email import sender, transport
from app.mfa import enrolment, passkey_pages, recovery_codes, totp
from app.mfa import pages as mfa_pages
from app.server import protocol, run
from app.settings import ROOT, Settings
from app.web import email_address, lengths, paging, request_limits
from tests.support.source import imported, sources

TEXT = (ROOT / "docs" / "decisions.md").read_text()
CRYPTOGRAPHIC = {
    "hashlib",
    "hmac",
    "secrets",
    "random",
    "jwt",
    "cryptography",
    "argon2",
    "bcrypt",
    "passlib",
    "ssl",
    "webauthn",
}
UNITS = {"seconds": 1, "minutes": 60, "days": 86400, "s": 1}


def table(heading: str, number: int = 0) -> dict[str, list[str]]:
    """The rows of a section's table, by their first cell, without its head."""
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    tables = re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE)
    rows = [[cell.strip() for cell in row.strip().strip("|").split("|")] for row in tables[number].splitlines()[2:]]
    return {first: rest for first, *rest in rows}


def seconds(words: str) -> list[int]:
    """Every duration in a text."""
    return [int(count) * UNITS[unit] for count, unit in re.findall(r"(\d+) (seconds|minutes|days|s)\b", words)]


def default(name: str) -> Any:
    return Settings.model_fields[name].default


# v5.0.0-7.1.1, v5.0.0-7.1.2
def test_lifetimes_are_the_settings() -> None:
    lifetimes = [seconds(value)[0] for value, _ in table("How long a session lives").values()]

    ours = [default(f"{name}_seconds") for name in ("access_token", "refresh_token", "session", "step_up")]
    assert lifetimes == [*ours, claims.EARLY.total_seconds()]
    assert all(why for _, why in table("How long a session lives").values())


# v5.0.0-6.4.3, v5.0.0-6.4.4
def test_week_in_which_a_mailed_link_undoes_a_second_factor_is_that_of_the_code() -> None:
    named = {int(days) for row in table("What an e-mailed link can undo") for days in re.findall(r"(\d+) days", row)}

    assert (
        [timedelta(days=days) for days in named]
        == [login_flow.UNDO_WINDOW]
        == [email_links.LIFETIMES[email_links.UNDO_EMAIL]]
    )


def test_days_for_which_the_page_of_the_password_looks_back_are_those_of_the_code() -> None:
    assert f"unless they want those of the last {enrolment.RECENT.days} days" in TEXT.replace("\n", " ")


# v5.0.0-6.1.2
def test_words_that_no_password_consists_of_are_named() -> None:
    named = TEXT.split("Words that a password may not consist of: ")[1].split(", the person's")[0]

    assert re.findall(r"`(\w+)`", named) == list(passwords.APP_WORDS)


# v5.0.0-2.1.1, v5.0.0-5.1.1
def test_rules_for_fields_are_those_of_the_forms() -> None:
    rules = table("Input validation")

    assert f"at most {email_address.LONGEST} characters" in rules["e-mail address"][0]
    assert (
        f"{default('password_min_length')} to {default('password_max_length')} code" in rules["password, a new one"][0]
    )
    assert "1 MiB" in rules["body of a request"][0]
    assert "none is taken" in rules["file"][0]
    assert default("body_limit_bytes") == 1024 * 1024
    assert f"{default('anonymous_body_limit_bytes') // 1024} KiB" in rules["body of a request"][0]
    assert f"{default('request_memory_bytes') // 1024**2} MiB in each worker" in TEXT
    least = set(
        re.findall(r"name: Annotated\[str, forms\.Line\((\d+), lengths\.NAME\)\]", "\n".join(sources().values()))
    )
    told = {rules[field][0].removesuffix(" characters on one line") for field in ("name", "name of a passkey")}
    assert {f"{each} to {lengths.NAME}" for each in least} == told


# v5.0.0-8.1.1, v5.0.0-8.1.2
def test_what_an_admin_may_change_is_in_the_table() -> None:
    rows = table("Access rules, field by field")
    named = {"name": "name", "role": "role", "is_active": "active or not", "must_change_password": "password"}

    changed = set(UserPatch.model_fields) - set(Confirmed.model_fields)  # a proof is not kept
    assert changed <= set(named)
    for name in changed:
        assert re.search("changes|asks for a change", rows[named[name]][1]), name
    assert {row[-1] for row in rows.values()} == {"nothing"}


# v5.0.0-6.4.2, v5.0.0-6.1.3
def test_permissions_check_nothing_but_what_the_page_names() -> None:
    forms = (login.LoginForm, login.StepUpForm, signup.NewPassword, signup.Confirmation)

    asked = {name for form in (*forms, mfa_pages.SignInForm, passkey_pages.SignedForm) for name in form.model_fields}
    proofs, wishes = (
        {"email", "password", "code", "credential", "token"},
        {"next", "offer"},
    )  # where to go, what to show
    assert asked == proofs | wishes
    assert list(table("Authentication methods")) == [
        f"password of {default('password_min_length')} characters or more",
        "link sent by e-mail to a confirmed address",
        "passkey (WebAuthn) that its device unlocked for its owner",
        "code of an authenticator (RFC 6238)",
        f"recovery code, {8 * recovery_codes.BYTES} random bits",
    ]
    assert (totp.STEP, totp.DRIFT, limits.limit(limits.CODE)) == (30, 1, (5, timedelta(minutes=15)))


# v5.0.0-11.1.2, v5.0.0-11.1.3, v5.0.0-11.2.1
def test_cryptography_is_used_where_the_inventory_says_and_nowhere_else() -> None:
    named = {path for row in table("Cryptography").values() for path in re.findall(r"`(app/[\w/.]+)`", row[-1])}
    using = {path for path, text in sources().items() if CRYPTOGRAPHIC & set(imported(text))}

    using -= {path for path in using if path.startswith("app/learn/")}  # learn
    assert using == named


# v5.0.0-11.1.1, v5.0.0-13.1.4
def test_every_secret_setting_has_a_schedule() -> None:
    kept = {name for name, field in Settings.model_fields.items() if field.repr is False}

    documented = " ".join(table("Cryptography", 1)).lower()
    assert not {name for name in kept if name not in documented}


# v5.0.0-13.1.1, v5.0.0-13.1.3, v5.0.0-8.3.3
def test_time_outs_are_those_of_the_code() -> None:
    sides = table("External services and time-outs")

    assert seconds(sides["PostgreSQL"][1]) == [POOL_SECONDS, ANSWER_SECONDS, TRANSACTION_SECONDS]
    assert seconds(sides["SQLite"][1]) == [sqlite.BUSY_SECONDS]
    assert seconds(sides["mail server"][1]) == [transport.STEP_SECONDS, sender.TRY_SECONDS]
    assert f"{len(sender.WAITS)} times" in sides["mail server"][2]
    text = TEXT.split("Coming in: ")[1].split(" Proxies and load balancers")[0]
    kept = default("keep_alive_seconds")
    assert seconds(text) == [
        protocol.HEAD_SECONDS,
        request_limits.BODY_SECONDS,
        run.UNREAD_SECONDS,
        kept,
        run.GRACE_SECONDS,
    ]
    assert f"Each worker keeps {default('keep_alive_connections')} idle connections" in TEXT


# v5.0.0-16.1.1, v5.0.0-16.2.3
def test_every_event_of_the_log_is_listed_and_goes_to_one_place() -> None:
    listed = {name for row in table("Log inventory") for name in re.findall(r"`(\w+)`", row)}

    said = {name for text in sources().values() for name in logged(text) if name.islower()}
    assert said - listed == set()
    assert listed - said - set(events.EVENT_TEXT) == set()
    assert [path for path, text in sources().items() if "FileHandler" in text or "SysLogHandler" in text] == []


# v5.0.0-15.1.3, v5.0.0-2.1.3
def test_bounds_of_what_costs_much_are_those_of_the_code() -> None:
    costly = table("Resource limits")

    assert f"{default('password_checks_waiting')} waiting" in costly["hashing a password"][0]
    assert f"{paging.PAGE} rows a page" in costly["search"][0]


# v5.0.0-2.1.2, v5.0.0-3.1.1, v5.0.0-8.1.3, v5.0.0-8.1.4, v5.0.0-11.1.4, v5.0.0-14.1.2, v5.0.0-15.1.1, v5.0.0-15.1.4
@pytest.mark.parametrize(
    ("heading", "decides"),
    [
        ("Input validation", "is also judged together"),
        ("Browser requirements", "An older one is not turned away"),
        ("Access rules, field by field", "What a decision depends on beside the role"),
        ("Cryptography", "against a quantum computer"),
        ("Data classification and retention", "where it may be"),
        ("Risky components", "is taken within three days"),
        ("Risky components", "Of the dependencies"),
    ],
)
def test_what_has_to_be_decided_is_written_down(heading: str, decides: str) -> None:
    assert decides in TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("heading", re.findall(r"^## (.*)$", TEXT, re.MULTILINE))
def test_every_section_says_something(heading: str) -> None:
    assert len(TEXT.split(f"## {heading}\n")[1].split("\n## ")[0].split()) > 40


def logged(text: str) -> Iterator[str]:
    """The names of events given to `log.info` and its like."""
    for node in ast.walk(ast.parse(text)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        whose = node.func.value
        if isinstance(whose, ast.Name) and whose.id == "log" and node.args and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value)
