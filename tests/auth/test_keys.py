"""Keys: one algorithm each, a change of key or algorithm logs nobody out, and purposes never share a key."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import jwt
import pytest

from app.auth import keys, tokens
from app.settings import get_settings
from tests.support import forge

NOW = datetime(2031, 1, 1, tzinfo=UTC)
SESSION = SimpleNamespace(
    id=uuid4(), user_id=uuid4(), secret="cd" * 32, generation=1, authenticated_at=NOW, ends_at=NOW + timedelta(days=30)
)
ANOTHER = "Zm9vYmFyIHF1dXggMTIzNDU2Nzg5MCBub3QgdGhpcyBvbmU"


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Change settings for one test: `use(jwt_algorithm="EdDSA")`."""

    def change(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setattr(get_settings(), name, value)
        keys._ring.cache_clear()
        get_settings().__dict__.pop("jwt_config", None)

    yield change
    monkeypatch.undo()
    keys._ring.cache_clear()
    get_settings().__dict__.pop("jwt_config", None)


def access() -> str:
    return tokens.issue_pair(SESSION, role="user", now=NOW).access_token


def test_token_is_signed_with_eddsa_when_the_setting_says_so(use: Any) -> None:
    use(jwt_algorithm="EdDSA")

    raw = access()

    assert jwt.get_unverified_header(raw)["alg"] == "EdDSA"
    assert tokens.read(raw, "access", NOW)


# v5.0.0-11.2.2
def test_change_of_algorithm_ends_no_session(use: Any) -> None:
    """v5.0.0-11.2.2"""
    before = access()

    use(jwt_algorithm="EdDSA")

    assert tokens.read(before, "access", NOW)


# v5.0.0-13.3.4
def test_key_before_the_rotation_verifies_and_a_removed_one_does_not(use: Any) -> None:
    """v5.0.0-13.3.4"""
    before, old = access(), get_settings().secret_key

    use(secret_key=ANOTHER, verifying_secret_keys=old)
    assert tokens.read(before, "access", NOW)
    assert jwt.get_unverified_header(access())["kid"] != jwt.get_unverified_header(before)["kid"]

    use(verifying_secret_keys="")
    assert tokens.read(before, "access", NOW) is None


def test_public_key_is_no_hmac_key(use: Any) -> None:
    """Key confusion: CVE-2015-9235 and its like."""
    use(jwt_algorithm="EdDSA")
    raw = access()
    public = keys.jwks()["keys"][0]["x"]

    for kid in (jwt.get_unverified_header(raw)["kid"], "x"):
        forged = forge.resign(raw, header={"alg": "HS256", "kid": kid}, key=public.ljust(40, "="))
        assert tokens.read(forged, "access", NOW) is None


def test_jwks_shows_public_parts_alone_and_nothing_under_hs256(use: Any) -> None:
    assert keys.jwks() == {"keys": []}

    use(jwt_algorithm="EdDSA")

    (key,) = keys.jwks()["keys"]
    assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("OKP", "Ed25519", "EdDSA", "sig")
    assert "d" not in key
    raw = access()
    assert jwt.decode(
        raw, jwt.PyJWK(key).key, ["EdDSA"], options={"verify_aud": False, "verify_exp": False, "verify_iat": False}
    )


# v5.0.0-9.2.4
def test_each_purpose_has_a_key_of_its_own() -> None:
    """v5.0.0-9.2.4"""
    secret = get_settings().secret_key

    derived = {keys.derive(secret, label) for label in ("ask again", "ed25519", "kid HS256")}

    assert len(derived) == 3
    assert secret.encode() not in derived
    assert keys.mac("one", "text") != keys.mac("two", "text")


# v5.0.0-16.2.5
def test_no_key_shows_itself() -> None:
    assert get_settings().secret_key not in f"{keys.current()!r} {get_settings()!r}"


@pytest.mark.parametrize("kid", [None, 7, [], {}, "", "x", b"x"])
def test_odd_kid_finds_no_key(kid: Any) -> None:
    assert keys.find(kid) is None


def test_two_processes_name_the_same_key_alike() -> None:
    """A random fallback per process, as the page has it, would log people out at every other worker."""
    program = "from app.auth import keys; print(keys.current().kid)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == keys.current().kid
