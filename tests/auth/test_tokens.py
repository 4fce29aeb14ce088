"""Reading a token: what we signed comes back, everything else is None, and nothing raises."""

import base64
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import combinations_with_replacement
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.auth import keys, tokens
from app.settings import get_settings
from tests.support import forge
from tests.support.environment import ROOT

NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
SESSION = SimpleNamespace(
    id=uuid4(), user_id=uuid4(), secret="ab" * 32, generation=3, authenticated_at=NOW, ends_at=NOW + timedelta(days=30)
)
PAIR = tokens.issue_pair(SESSION, role="user", now=NOW)
ACCESS, REFRESH = PAIR.access_token, PAIR.refresh_token


def b64(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def with_header(**header: Any) -> str:
    """The access token under another header, with a good signature over it."""
    ours = jwt.get_unverified_header(ACCESS) | header
    body = f"{b64({k: v for k, v in ours.items() if v is not None})}.{ACCESS.split('.')[1]}"
    algorithm = jwt.get_algorithm_by_name("HS256")
    return f"{body}.{b64(algorithm.sign(body.encode(), keys.current().signs))}"


# v5.0.0-3.3.5
def test_longest_token_leaves_a_cookie_a_browser_keeps() -> None:
    """4096 bytes with name and attributes, or the browser drops it."""
    longest = SimpleNamespace(**vars(SESSION) | {"generation": 2**31 - 1})

    pair = tokens.issue_pair(longest, role="user", now=NOW)

    assert max(len(pair.access_token), len(pair.refresh_token)) < 1024


@pytest.mark.pattern("token-pair")
@pytest.mark.pattern("app-token")
@pytest.mark.pattern("token-decode-claims")
def test_pair_comes_back_with_its_claims() -> None:
    access = tokens.read(ACCESS, "access", NOW)
    refresh = tokens.read(REFRESH, "refresh", NOW)

    assert access
    assert access.is_access_token()
    assert not access.is_refresh_token()
    assert (access.sub, access.sid, access.gen, access.role) == (str(SESSION.user_id), SESSION.id, 3, "user")
    assert access.auth_time == int(NOW.timestamp())
    assert refresh
    assert refresh.is_refresh_token()
    assert refresh.jti == tokens.refresh_jti(SESSION.secret, 3)
    assert (PAIR.expires_in, PAIR.refresh_expires_in) == (900, 604800)


# v5.0.0-14.2.6
@pytest.mark.pattern("structure")
@pytest.mark.pattern("custom-claims")
def test_token_carries_only_what_it_needs() -> None:
    """Anyone with a token can read it: no address, no name (v5.0.0-14.1.1)."""
    assert set(forge.claims(ACCESS)) == {
        "token_type", "sub", "sid", "gen", "role", "auth_time", "iss", "aud", "iat", "exp", "jti",
    }  # fmt: skip
    assert set(forge.claims(REFRESH)) == {"token_type", "sub", "sid", "gen", "iss", "aud", "iat", "exp", "jti"}
    assert jwt.get_unverified_header(ACCESS) == {"alg": "HS256", "typ": "at+jwt", "kid": keys.current().kid}
    assert jwt.get_unverified_header(REFRESH)["typ"] == "rt+jwt"


# v5.0.0-7.3.2
def test_neither_token_outlives_the_session() -> None:
    session = SimpleNamespace(**vars(SESSION) | {"ends_at": NOW + timedelta(minutes=5)})

    pair = tokens.issue_pair(session, role="user", now=NOW)

    assert (pair.expires_in, pair.refresh_expires_in) == (300, 300)
    assert forge.claims(pair.access_token)["exp"] == forge.claims(pair.refresh_token)["exp"]


# v5.0.0-9.2.2
@pytest.mark.pattern("refresh-type-check")
def test_one_kind_is_never_taken_for_the_other() -> None:
    assert tokens.read(REFRESH, "access", NOW) is None
    assert tokens.read(ACCESS, "refresh", NOW) is None
    assert tokens.read(with_header(typ="rt+jwt"), "refresh", NOW) is None  # the header alone does not make it one
    assert tokens.read(forge.resign(ACCESS, token_type="refresh"), "access", NOW) is None


# v5.0.0-9.2.1, v5.0.0-9.2.3
@pytest.mark.pattern("decode-validation")
@pytest.mark.pattern("practice-all-claims")
@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example"},
        {"iss": get_settings().jwt_config.issuer + "/"},
        {"iss": None},
        {"iss": [get_settings().jwt_config.issuer]},
        {"aud": "https://other.example"},
        {"aud": [get_settings().jwt_config.audience]},
        {"aud": [get_settings().jwt_config.audience, "https://other.example"]},
        {"aud": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "1"},
        {"sub": 7},
        {"sub": 10**400},
        {"sid": None},
        {"sid": "x"},
        {"sid": 5},
        {"gen": None},
        {"gen": "3"},
        {"gen": 3.0},
        {"gen": True},
        {"gen": -1},
        {"gen": 2**70},
        {"jti": None},
        {"token_type": None},
        {"token_type": "verify"},
        {"auth_time": "now"},
        {"exp": None},
        {"exp": "2099-01-01"},
        {"exp": True},
        {"exp": 1e20},
        {"exp": 10**30},
        {"exp": -5},
        {"exp": float(NOW.timestamp() + 60)},
        {"iat": None},
        {"iat": "0"},
        {"nbf": "soon"},
    ],
    ids=str,
)
def test_wrong_claims_are_refused_whatever_the_signature(changes: dict[str, Any]) -> None:
    assert tokens.read(forge.resign(ACCESS, **changes), "access", NOW) is None


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf", "gen", "sid", "sub", "jti", "token_type", "iss", "aud"])
def test_claim_that_is_null_is_refused_whatever_the_signature(claim: str) -> None:
    """Not the same as a claim that is missing: a null "nbf" is no NumericDate (RFC 7519 section 4.1.5)."""
    body = f"{ACCESS.split('.')[0]}.{b64(forge.claims(ACCESS) | {claim: None})}"
    signature = jwt.get_algorithm_by_name("HS256").sign(body.encode(), keys.current().signs)

    assert tokens.read(f"{body}.{b64(signature)}", "access", NOW) is None


@pytest.mark.parametrize("others", [[], ["https://other.example"]], ids=["alone", "beside another"])
def test_list_that_names_us_is_no_audience_of_ours(others: list[str]) -> None:
    """RFC 8725 section 3.9: refused as a wrong audience, and not only because the claims' model takes no list."""
    raw = forge.resign(ACCESS, aud=[get_settings().jwt_config.audience, *others])

    assert tokens.refused_by(raw, "access", NOW) == "aud"


@pytest.mark.pattern("pitfall-no-expiry")
@pytest.mark.parametrize(
    ("changes", "good"),
    [
        ({"exp": 1}, True),
        ({"exp": 0}, False),  # RFC 7519: on or after
        ({"exp": -1}, False),
        ({"iat": 120}, True),
        ({"iat": 121}, False),
        ({"iat": 600}, False),
        ({"nbf": 120}, True),
        ({"nbf": 121}, False),
        ({"nbf": -600}, True),
    ],
    ids=str,
)
def test_times_at_their_edges(changes: dict[str, int], good: bool) -> None:
    moved = {name: int(NOW.timestamp()) + seconds for name, seconds in changes.items()}

    token = tokens.read(forge.resign(ACCESS, **moved), "access", NOW)

    assert (token is not None) is good


# v5.0.0-9.1.2, v5.0.0-9.1.3
@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "None"},
        {"alg": "HS384"},
        {"alg": "EdDSA"},
        {"alg": None},
        {"kid": None},
        {"kid": "../../dev/null"},
        {"kid": "' OR 1=1"},
        {"kid": 7},
        {"kid": ["x"]},
        {"kid": {}},
        {"typ": "JWT"},
        {"typ": None},
        {"typ": "AT+JWT"},
        {"crit": ["x"], "x": 1},
        {"jku": "http://127.0.0.1/keys"},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"x5u": "http://127.0.0.1/cert"},
        {"b64": False},
    ],
    ids=str,
)
def test_header_that_is_not_ours_is_refused_whatever_the_signature(header: dict[str, Any]) -> None:
    assert tokens.read(with_header(**header), "access", NOW) is None


# v5.0.0-9.1.1, v5.0.0-9.1.2
@pytest.mark.pattern("token-decode")
def test_unsigned_and_foreign_signatures_are_refused() -> None:
    head, payload, signature = ACCESS.split(".")

    for raw in (
        f"{head}.{payload}.",
        f"{head}.{payload}",
        f"{head}.{payload}.{signature}=",
        f"{head}.{payload}.{signature}==",
        f" {ACCESS}",
        f"{ACCESS}\n",
        f"{b64({'alg': 'none', 'typ': 'at+jwt', 'kid': keys.current().kid})}.{payload}.{signature}",
        forge.resign(ACCESS, key="x" * 40),
        forge.resign(ACCESS, key="your-secret-key-change-in-production"),
        f"{head}.{payload}.{signature[:-2]}AA",
        f"{head}.{b64({'sub': 'x'})}.{signature}",
        f"{head}.{payload}.{signature}.{payload}.{signature}",
        json.dumps({"payload": payload, "signatures": [{"protected": head, "signature": signature}]}),
        "a" * 5000,
        "." * 3,
        "",
        None,
    ):
        assert tokens.read(raw, "access", NOW) is None, raw


def test_deep_and_odd_json_inside_a_signed_token_is_refused() -> None:
    for payload in (b"[" * 900 + b"]" * 900, b"null", b"[]", b'"x"', b"{", b"\xff\xfe", b'{"exp":1,"exp":2}', b"NaN"):
        head = ACCESS.split(".")[0]
        body = f"{head}.{b64(payload)}"
        signature = jwt.get_algorithm_by_name("HS256").sign(body.encode(), keys.current().signs)

        assert tokens.read(f"{body}.{b64(signature)}", "access", NOW) is None, payload
        assert tokens.refused_by(f"{body}.{b64(signature)}", "access", NOW) == "required", payload
    assert tokens.read(f"{b64(b'[' * 1200)}.{b64({})}.AAAA", "access", NOW) is None


# Check -> what a token looks like that fails it and no other one.
BROKEN: dict[str, dict[str, Any]] = {
    "characters": {"tail": "="},
    "header": {"header": {"jku": "http://127.0.0.1/keys"}},
    "typ": {"header": {"typ": "JWT"}},
    "kid": {"header": {"kid": "unknown"}},
    "alg": {"header": {"alg": "EdDSA"}},
    "signature": {"key": b"x" * 40},
    "required": {"claims": {"jti": None}},
    "iss": {"claims": {"iss": "https://other.example"}},
    "aud": {"claims": {"aud": "https://other.example"}},
    "claims": {"claims": {"gen": "3"}},
    "token_type": {"claims": {"token_type": "refresh"}},
    "exp": {"claims": {"exp": int(NOW.timestamp()) - 1}},
    "iat": {"claims": {"iat": int(NOW.timestamp()) + 600}},
}


def broken(*checks: str) -> str:
    """The access token, failing these checks."""
    faults = [BROKEN[check] for check in checks]
    header, claims = jwt.get_unverified_header(ACCESS), forge.claims(ACCESS)
    key, tail = keys.current().signs, ""
    for fault in faults:
        header |= fault.get("header", {})
        claims |= fault.get("claims", {})
        key, tail = fault.get("key", key), fault.get("tail", tail)
    body = f"{b64(header)}.{b64({name: value for name, value in claims.items() if value is not None})}"
    return f"{body}.{b64(jwt.get_algorithm_by_name('HS256').sign(body.encode(), key))}{tail}"


def test_refusal_names_the_first_check_that_fails_in_the_order_of_the_list() -> None:
    assert tuple(BROKEN) == tokens.CHECKS
    assert tokens.read(broken(), "access", NOW)
    assert tokens.refused_by(broken(), "access", NOW) is None
    for first, second in combinations_with_replacement(tokens.CHECKS, 2):
        raw = broken(first, second)

        assert tokens.refused_by(raw, "access", NOW) == first, second
        assert tokens.read(raw, "access", NOW) is None


# v5.0.0-11.2.5
@given(st.one_of(st.text(), st.binary().map(lambda raw: raw.decode("latin-1"))))
def test_any_text_at_all_is_refused_without_an_exception(raw: str) -> None:
    assert tokens.read(raw, "access", NOW) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
claim_names = st.sampled_from(
    ["sub", "sid", "gen", "exp", "iat", "nbf", "iss", "aud", "jti", "token_type", "auth_time", "role"]
)


@given(st.dictionaries(claim_names, json_values, min_size=1, max_size=4))
def test_any_claims_at_all_are_read_or_refused_without_an_exception(changes: dict[str, Any]) -> None:
    payload = forge.claims(ACCESS) | changes
    raw = jwt.api_jws.encode(
        json.dumps(payload).encode(), keys.current().signs, "HS256", headers=jwt.get_unverified_header(ACCESS)
    )

    token = tokens.read(raw, "access", NOW)

    assert token is None or (isinstance(token.sid, UUID) and token.exp > NOW)


@given(st.dictionaries(st.text(max_size=8), json_values, max_size=4), st.binary(max_size=64))
def test_any_header_at_all_is_refused_without_an_exception(header: dict[str, Any], signature: bytes) -> None:
    assert tokens.read(f"{b64(header)}.{ACCESS.split('.')[1]}.{b64(signature)}", "access", NOW) is None


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo", "UTC"])
@pytest.mark.pattern("token-create")
def test_lifetimes_do_not_depend_on_the_time_zone_nor_on_optimisation(zone: str) -> None:
    """The page's `utcnow()` is hours off outside UTC; `python -O` strips asserts."""
    program = """if True:
        from datetime import timedelta
        from types import SimpleNamespace
        from uuid import uuid4
        import time
        from app import db
        from app.auth import tokens
        now = db.utcnow()
        row = SimpleNamespace(id=uuid4(), user_id=uuid4(), secret="00" * 32, generation=1, authenticated_at=now,
                              ends_at=now + timedelta(days=30))
        pair = tokens.issue_pair(row, role="user", now=now)
        token = tokens.read(pair.access_token, "access", now)
        print(abs(token.exp.timestamp() - time.time() - 900) < 60,
              tokens.read(pair.access_token, "access", now + timedelta(seconds=901)),
              tokens.read(pair.refresh_token, "access", now))
    """

    done = subprocess.run(
        [sys.executable, "-O", "-c", program], cwd=ROOT, env=os.environ | {"TZ": zone}, capture_output=True, text=True
    )

    assert done.stdout.split() == ["True", "None", "None"], done.stderr
