"""A check that the CBOR in a WebAuthn response is as simple as authenticators write it, before a library decodes it.

CBOR tags can make a decoder do expensive work: compile a regular expression, build a number of any size. Authenticators
do not use them, but a malicious client may, and a few kilobytes would occupy a core for long. This check decodes no
values and reads each byte once.
Source: CTAP 2.2 section 8 (no tags, lengths known); W3C Web Authentication Level 3, sections 6.1 and 6.5.4.
"""

import re
from collections.abc import Mapping
from typing import Any

from app.auth import keys

LEVELS = 8  # an attestation of several kinds at once has six
BYTES, TEXT, ARRAY, MAP, TAG = 2, 3, 4, 5, 6
AUTHENTICATOR_DATA = b"\x68authData"
HEAD, MODEL = 37, 16  # bytes before the credential data; bytes of the AAGUID, followed by the length of the id
HAS_CREDENTIAL = 0x40
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")  # no characters that decoders treat differently


def is_plain(response: Mapping[str, Any]) -> bool:
    """Check the `response` member of a credential. Errors: ValueError, TypeError for a malformed one."""
    kinds = {"attestationObject": is_plain_attestation, "authenticatorData": is_plain_data}
    given = [(response[name], check) for name, check in kinds.items() if name in response]
    return all(_BASE64URL.fullmatch(text) and check(keys.unb64(text)) for text, check in given)


def is_plain_attestation(raw: bytes) -> bool:
    """Check an attestation object: a map that contains authenticator data once."""
    try:
        kind, size, at = _head(raw, 0)
        if kind != MAP or _end(raw, 0, LEVELS) != len(raw):
            return False
        found = []
        for _ in range(size):
            key, at = at, _end(raw, at, LEVELS)
            value, at = at, _end(raw, at, LEVELS)
            if raw[key:value] == AUTHENTICATOR_DATA:
                found.append(raw[_head(raw, value)[2] : at])
    except (IndexError, ValueError):
        return False
    return len(found) == 1 and is_plain_data(found[0])


def is_plain_data(raw: bytes) -> bool:
    """Check the end of authenticator data: a new credential's public key, extensions, both or nothing."""
    at = HEAD
    if len(raw) > HEAD and raw[32] & HAS_CREDENTIAL:
        at += MODEL + 2 + int.from_bytes(raw[HEAD + MODEL : HEAD + MODEL + 2], "big")
    try:
        while at < len(raw):
            at = _end(raw, at, LEVELS)
    except (IndexError, ValueError):
        return False
    return at == len(raw)


def _head(raw: bytes, at: int) -> tuple[int, int, int]:
    """The major type of the item at this offset, its size or value, and the offset of its content."""
    kind, size = raw[at] >> 5, raw[at] & 31
    if kind == TAG or size > 27:
        raise ValueError("not plain")
    if size < 24:
        return kind, size, at + 1
    width = 1 << (size - 24)
    return kind, int.from_bytes(raw[at + 1 : at + 1 + width], "big"), at + 1 + width


def _end(raw: bytes, at: int, levels: int) -> int:
    """The offset after the item at this offset. Errors: IndexError past the last byte; ValueError."""
    kind, size, at = _head(raw, at)
    if kind in (BYTES, TEXT):
        return at + size
    if kind in (ARRAY, MAP):
        if levels == 0:
            raise ValueError("not plain")
        for _ in range(
            size if kind == ARRAY else 2 * size
        ):  # each item takes a byte at least, so `raw` bounds the loop
            at = _end(raw, at, levels - 1)
    return at
