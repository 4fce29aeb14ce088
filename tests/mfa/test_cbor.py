"""What a device writes is plain; what stands for work is refused before a library makes it."""

import json
from contextlib import suppress
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.auth.keys import b64
from app.mfa import cbor
from tests.support.device import Device

OPTIONS = {"user": {"id": "x"}, "rp": {"id": "testserver"}, "rpId": "testserver", "challenge": "c"}
PATTERN = cbor2.CBORTag(35, "a+")  # a regular expression, which a decoder compiles
HEAD = bytes(32) + b"\x05" + bytes(4)
ATTESTED = bytes(32) + b"\x45" + bytes(4) + bytes(16) + b"\x00\x02id"


def attestation(**members: Any) -> bytes:
    return cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": ATTESTED + cbor2.dumps({1: 2}), **members})


def response_of(answer: str) -> Any:
    return json.loads(answer)["response"]


def test_what_devices_write_is_plain() -> None:
    device = Device()
    chain = {"alg": -7, "sig": b"x" * 300, "x5c": [b"y" * 900, b"z" * 30]}

    assert cbor.is_plain(response_of(device.create(OPTIONS)))
    assert cbor.is_plain(response_of(device.get(OPTIONS)))
    assert cbor.is_plain_attestation(attestation(fmt="packed", attStmt=chain))
    assert cbor.is_plain_data(HEAD + cbor2.dumps({"credProtect": 2, "hmac-secret": True, "x": 1.5, "y": None}))
    assert cbor.is_plain_data(HEAD)


@pytest.mark.parametrize(
    "raw",
    [
        attestation(attStmt={"x": PATTERN}),
        attestation(attStmt={"x": [[PATTERN]]}),
        cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": ATTESTED + cbor2.dumps({1: PATTERN})}),
        cbor2.dumps({"fmt": "none", "authData": HEAD + cbor2.dumps({"x": PATTERN})}),
        cbor2.dumps(PATTERN),
        cbor2.dumps([1, 2]),
        cbor2.dumps({"fmt": "none"}),
        cbor2.dumps({"fmt": "none", "authData": "text"}) + b"\x00",
        attestation() + b"\x00",
        attestation()[:-1],
        b"\xbf" + attestation()[1:] + b"\xff",  # a map without a length
        attestation().replace(b"\x68authData", b"\x78\x08authData"),  # the same name in another spelling
        attestation(x=b"\x68authData" + HEAD).replace(b"\x68authDataX", b"\x78\x08authDataX"),
        b"\xa1" * 20_000,
        b"\x9b" + b"\xff" * 8,
        b"",
    ],
)
def test_anything_else_is_refused(raw: bytes) -> None:
    assert not cbor.is_plain_attestation(raw)


@pytest.mark.parametrize(
    "end", [cbor2.dumps(PATTERN), b"\x81" * 20, b"\x5f\x41x\xff", b"\x18", b"\xa1\x01", b"\x7b" + b"\xff" * 8]
)
@pytest.mark.parametrize("begin", [HEAD, ATTESTED])
def test_data_that_ends_otherwise_is_refused(begin: bytes, end: bytes) -> None:
    assert not cbor.is_plain_data(begin + end)


@pytest.mark.parametrize("text", ["====", "AAAA=AAA", "AA AA", "AAAA\n", "AA+A"])
def test_base64url_has_one_reading(text: str) -> None:
    whole = b64(HEAD) + text

    assert not cbor.is_plain({"authenticatorData": whole})


@given(st.binary(max_size=200))
def test_bytes_that_pass_hold_no_tag(raw: bytes) -> None:
    """Whatever passes, a decoder finds none of the values in it that tags make."""
    if cbor.is_plain_data(HEAD + raw):
        tagged: list[Any] = []
        with suppress(cbor2.CBORDecodeError, ValueError):
            cbor2.loads(raw, tag_hook=lambda _, tag: tagged.append(tag))
        assert not tagged
