"""Secrets that others have or soon find, and that no random one is taken for such."""

import base64
import random
import subprocess
import sys
import uuid
from collections.abc import Callable

import pytest

from app import weak_secrets
from deploy import published_keys
from tests.support.environment import ROOT

LOT = random.Random(20261130)  # the same each time

MADE: dict[str, Callable[[], str]] = {
    "openssl rand -base64 48": lambda: base64.b64encode(LOT.randbytes(48)).decode(),
    "openssl rand -base64 24": lambda: base64.b64encode(LOT.randbytes(24)).decode(),
    "openssl rand -hex 32": lambda: LOT.randbytes(32).hex(),
    "openssl rand -hex 16": lambda: LOT.randbytes(16).hex(),
    "secrets.token_urlsafe(48)": lambda: base64.urlsafe_b64encode(LOT.randbytes(48)).decode(),
    "uuid4": lambda: str(uuid.UUID(bytes=LOT.randbytes(16), version=4)),
    "letters and digits": lambda: "".join(LOT.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=32)),
}


@pytest.mark.parametrize("how", MADE)
def test_random_secret_is_never_refused(how: str) -> None:
    made = [MADE[how]() for _ in range(300)]

    assert [secret for secret in made if weak_secrets.weakness(secret)] == []
    assert min(map(weak_secrets.surprise, made)) > weak_secrets.BITS + 5


@pytest.mark.parametrize(
    "secret",
    [
        "0" * 32, "01234567890123456789012345678901", "1234567890123456789012345678901234567890",
        "112233445566778899112233445566778899", "00112233445566778899aabbccddeeff", "9876543210" * 4,
        "0123456789abcdef0123456789abcdef", "deadbeef" * 4, "deadbeefcafe" * 3, "abc123" * 6,
        "abcdefghijklmnopqrstuvwxyz123456", "ZYXWVUTSRQPONMLKJIHGFEDCBA987654", "aabbccddeeffgghhiijjkkllmmnnoopp",
        "qwertyuiopasdfghjklzxcvbnm1234567890", "poiuytrewqlkjhgfdsamnbvcxz0987654321",
        "!@#$%^&*()_+QWERTYUIOPASDFGHJKL:", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.", "1q2w3e4r5t6y7u8i9o0p1q2w3e4r5t6y",
        "qazwsxedcrfvtgbyhnujmikolp1234567890", "asdfasdfasdfasdfasdfasdfasdfasdf1234",
        "lanyard-lanyard-lanyard-lanyard-lanyard", "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6",
    ],
)  # fmt: skip
def test_what_goes_on_as_it_began_is_easy_to_guess(secret: str) -> None:
    assert len(secret) >= weak_secrets.BYTES
    assert "easy to guess" in (weak_secrets.weakness(secret) or "")


@pytest.mark.parametrize("where", published_keys.KNOWN)
def test_published_key_is_refused_in_every_spelling(where: str) -> None:
    key = published_keys.KNOWN[where]

    for spelling in (key, key.upper(), f" {key}\n", f"{key}=", key.replace("-", "+").replace("_", "/")):
        refused = weak_secrets.weakness(spelling)

        assert refused, spelling
        assert "is public" in refused or "easy to guess" in refused
        assert key not in refused


def test_list_of_published_keys_is_what_its_program_writes() -> None:
    """Nothing is lost or added by writing it again, and no key stands in it."""
    before = published_keys.TARGET.read_text()
    program = [sys.executable, "deploy/published_keys.py"]

    subprocess.run(program, cwd=ROOT, check=True, stdin=subprocess.DEVNULL)

    after = published_keys.TARGET.read_text()
    assert after == before
    assert len(after.splitlines()) > 1500
    assert {len(line) for line in after.splitlines()[1:]} == {16}


@pytest.mark.parametrize(
    ("url", "tried"),
    [
        ("postgresql://lanyard:postgres@db/lanyard", True),
        ("postgresql://lanyard:Lanyard@db/lanyard", True),
        ("postgresql://site:site@db/lanyard", True),
        ("postgresql://site:p%61ssword@db/lanyard", True),
        ("smtps://name:changeme@mail.example.com", True),
        ("smtps://name:9f86d081884c@mail.example.com", False),
        ("postgresql://site@db/lanyard", False),
        ("postgresql://:@db/lanyard", False),
        ("sqlite+aiosqlite:////var/lib/lanyard/password.db", False),
        ("smtp://[half", False),
    ],
)
def test_password_that_a_server_comes_with(url: str, tried: bool) -> None:
    assert weak_secrets.has_default_password(url) is tried
