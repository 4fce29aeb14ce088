"""Passwords: what is refused and why, what is kept exactly, and which old hashes still open."""

import os
import sys
import threading
import unicodedata
from typing import Any

import bcrypt
import pytest
from passlib.context import CryptContext

from app.auth import passwords
from app.settings import get_settings
from app.web import client

GOOD = "correct horse battery staple"


# v5.0.0-6.2.5, v5.0.0-6.2.9
@pytest.mark.parametrize(
    "password",
    [
        GOOD,
        "ooooh what a lovely day",
        "ljsbqkjwznfmtdv",  # letters alone
        "   fifteen    and spaces   ",
        "парольизпятнадцатибукв",
        "🔑🚪🌧🐸🎻🧭🪁🥝🚲🎈🗿🧵🪐🍋🦔",
        "é" * 3 + "x̂ mixed ways to type",
        "a" * 32 + "B" * 32,
        "pass\x00word with a NUL inside",
        "the keyring hangs on a wooden peg",
    ],
)
def test_any_kind_of_character_is_welcome(password: str) -> None:
    """v5.0.0-6.2.5, v5.0.0-6.2.9"""
    assert passwords.validation_error(password, about=("robin@example.com", "Robin Example")) is None


# v5.0.0-6.2.1, v5.0.0-6.2.4, v5.0.0-6.2.11, v5.0.0-6.2.12, v5.0.0-2.2.3
@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("x7#kQ", "at least 15"),
        ("fourteen chars", "at least 15"),
        ("e\u0301" * 14, "at least 15"),  # 14 once composed
        ("q7 " * 43, "at most 128"),
        ("\ud800" + "q" * 20, "cannot be stored"),
        ("111111freeftp11", "stolen"),
        ("111111FREEFTP11", "stolen"),
        ("robin.example2026", "your name"),
        ("RobinExample1234", "your name"),
        (f"{passwords.APP_WORDS[0]:1<15}", "your name"),
        (passwords.APP_WORDS[0] * 5, "your name"),
    ],
)
def test_bad_password_is_refused_with_the_reason(password: str, reason: str) -> None:
    """v5.0.0-6.2.1, v5.0.0-6.2.4, v5.0.0-6.2.11"""
    assert reason in (passwords.validation_error(password, about=("robin.example@example.com", "Robin Example")) or "")


# v5.0.0-6.2.8
@pytest.mark.anyio
async def test_password_is_verified_exactly_as_typed() -> None:
    """v5.0.0-6.2.8: no trimming, no folding, no cutting at a NUL or after 72 bytes."""
    long = "k" * 90
    stored = await passwords.hash(long)

    assert (await passwords.verify(long, stored)).ok
    for other in (
        long + " ",
        " " + long,
        long.upper(),
        long[:72],
        long[:89],
        long + "\x00",
        long[:80] + "\x00" + long[81:],
    ):
        assert not (await passwords.verify(other, stored)).ok


@pytest.mark.anyio
async def test_both_ways_to_type_an_accent_are_one_password() -> None:
    composed = unicodedata.normalize("NFC", "crème brûlée pour tous")

    stored = await passwords.hash(unicodedata.normalize("NFD", composed))

    assert (await passwords.verify(composed, stored)).ok


@pytest.mark.anyio
async def test_hash_is_in_the_format_of_the_frameworks_slot() -> None:
    stored = await passwords.hash(GOOD)

    assert stored.startswith("argon2$argon2id$v=19$")
    assert (await passwords.verify(GOOD, stored)).new_hash is None


# v5.0.0-11.4.2, v5.0.0-11.4.4
@pytest.mark.anyio
async def test_production_parameters_are_the_recommended_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one test with the real cost: argon2id, 19 MiB, two passes, one lane (v5.0.0-11.4.2)."""
    monkeypatch.setattr(
        get_settings(), "argon2_memory_kib", type(get_settings()).model_fields["argon2_memory_kib"].default
    )
    passwords._context.cache_clear()
    try:
        stored = await passwords.hash(GOOD)
    finally:
        monkeypatch.undo()
        passwords._context.cache_clear()

    assert "$m=19456,t=2,p=1$" in stored


@pytest.mark.anyio
async def test_bcrypt_hash_opens_and_is_replaced() -> None:
    old = bcrypt.hashpw(GOOD.encode(), bcrypt.gensalt(4)).decode()

    verified = await passwords.verify(GOOD, old)

    assert verified.ok
    assert verified.new_hash
    assert verified.new_hash.startswith("argon2$")
    assert not (await passwords.verify("wrong horse battery staple", old)).ok


@pytest.mark.anyio
async def test_bcrypt_never_cuts_a_long_password() -> None:
    """bcrypt 5 raises over 72 bytes, bcrypt 4 cut: both would be a fault at login."""
    old = bcrypt.hashpw(b"k" * 72, bcrypt.gensalt(4)).decode()

    assert (await passwords.verify("k" * 72, old)).ok
    for other in ("k" * 73, "k" * 72 + "x", "k\x00k"):
        assert not (await passwords.verify(other, old)).ok


# v5.0.0-11.2.2
@pytest.mark.anyio
async def test_hash_of_other_cost_is_replaced() -> None:
    cheap = CryptContext(["argon2"], argon2__memory_cost=8, argon2__time_cost=1, argon2__parallelism=1).hash(GOOD)

    assert (await passwords.verify(GOOD, "argon2" + cheap)).new_hash


@pytest.mark.anyio
@pytest.mark.parametrize(
    "stored", [None, "", "x", "!unusable", "argon2", "argon2$", "argon2$argon2id$v=19$m=1", "$2b$04$short", "md5$abc"]
)
async def test_unknown_hash_format_never_matches(stored: str | None) -> None:
    assert not (await passwords.verify(GOOD, stored)).ok


# v5.0.0-15.2.2
@pytest.mark.anyio
async def test_enormous_password_is_wrong_without_being_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_in_thread", None)  # would raise if it were called

    assert not (await passwords.verify("x" * 5000, "argon2$x")).ok


@pytest.mark.anyio
@pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority of their own on Linux alone")
async def test_hashing_steps_back_behind_other_requests() -> None:
    ours = os.getpriority(os.PRIO_PROCESS, 0)

    theirs = await passwords._in_thread(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    assert theirs == min(ours + passwords.NICENESS, 19)
    assert os.getpriority(os.PRIO_PROCESS, 0) == ours


@pytest.mark.pattern("login-errors")
async def test_unknown_address_takes_a_password_check_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the time of the answer tells who has an account (v5.0.0-6.3.8)."""
    checks: list[str] = []
    real = passwords.Argon2idHasher.verify

    def counted(self: Any, password: str, encoded: str) -> bool:
        checks.append(encoded.split("$")[3])  # the cost parameters
        return real(self, password, encoded)

    known = await passwords.hash("correct horse battery staple")
    monkeypatch.setattr(passwords.Argon2idHasher, "verify", counted)

    answers = [await passwords.verify("a wrong password, but long", encoded) for encoded in (known, None)]

    assert [answer.ok for answer in answers] == [False, False]
    assert len(checks) == 2
    assert checks[0] == checks[1]


async def test_whose_request_it_is_is_known_where_a_password_is_hashed() -> None:
    with client.of({"headers": [], "client": ("192.0.2.1", 1)}) as asking:
        assert await passwords._in_thread(client.current) is asking
