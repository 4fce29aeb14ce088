"""Whether the CBOR of a passkey's answer is as plain as a device writes it, before a library makes objects of it.

CBOR has tags that stand for work: a regular expression to compile, a number of any size. A page may put them where no
authenticator does, and a few kilobytes keep a core busy for long. No value is made here; each byte is looked at once.
Source: CTAP 2.2 section 8 (no tags, lengths known); W3C Web Authentication Level 3, sections 6.1 and 6.5.4.
"""

import re
from collections.abc import Mapping
from typing import Any

from app.auth import keys

LEVELS = 8  # an attestation of several kinds at once has six
BYTES, TEXT, ARRAY, MAP, TAG = 2, 3, 4, 5, 6
AUTHENTICATOR_DATA = b"\x68authData"
HEAD, MODEL = 37, 16  # bytes before a credential; of the model, which the length of the id follows
HAS_CREDENTIAL = 0x40
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")  # nothing that one decoder skips and another takes for the end


def is_plain(response: Mapping[str, Any]) -> bool:
    """The response of an answer, as the browser wrote it. Errors: ValueError, TypeError where it is none."""
    kinds = {"attestationObject": is_plain_attestation, "authenticatorData": is_plain_data}
    given = [(response[name], check) for name, check in kinds.items() if name in response]
    return all(_BASE64URL.fullmatch(text) and check(keys.unb64(text)) for text, check in given)


def is_plain_attestation(raw: bytes) -> bool:
    """An attestation object: a map with authenticator data in it."""
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
    """Authenticator data: what it ends with, which is the key of a new credential, extensions, both or nothing."""
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
    """Of the item that begins there: its kind, its size or value, and where its content begins."""
    kind, size = raw[at] >> 5, raw[at] & 31
    if kind == TAG or size > 27:
        raise ValueError("not plain")
    if size < 24:
        return kind, size, at + 1
    width = 1 << (size - 24)
    return kind, int.from_bytes(raw[at + 1 : at + 1 + width], "big"), at + 1 + width


def _end(raw: bytes, at: int, levels: int) -> int:
    """Where the item that begins there ends. Errors: IndexError past the last byte; ValueError."""
    kind, size, at = _head(raw, at)
    if kind in (BYTES, TEXT):
        return at + size
    if kind in (ARRAY, MAP):
        if levels == 0:
            raise ValueError("not plain")
        for _ in range(size if kind == ARRAY else 2 * size):  # each takes a byte at least: it ends where they end
            at = _end(raw, at, levels - 1)
    return at
