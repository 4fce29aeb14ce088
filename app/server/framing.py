"""Requests that this server and a proxy in front could read differently: where a body ends, and which host is meant.

Pure. Source: RFC 9112 sections 3.2.2 and 6.1; v5.0.0-4.2.1.
"""

import re
from collections.abc import Iterable
from http import HTTPStatus


def fault(version: str, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> HTTPStatus | None:
    """The status that refuses such a request, otherwise None.

    501 for a transfer coding that is not decoded here. 400 for any in HTTP/1.0, and for an address that names another
    host than the header Host. `version`: such as "1.1". `target`: the address as sent. `headers`: names in lower case.
    """
    codings, named = [], []
    for name, value in headers:
        if name == b"transfer-encoding":
            codings.append(value.strip(b" \t").lower())
        elif name == b"host":
            named.append(value.lower())
    if codings and version != "1.1":
        return HTTPStatus.BAD_REQUEST
    if codings not in ([], [b"chunked"]):
        return HTTPStatus.NOT_IMPLEMENTED
    if not target.startswith(b"/") and b"://" in target:
        authority = re.split(rb"[/?#]", target.partition(b"://")[2])[0]
        if [authority.lower()] != named:
            return HTTPStatus.BAD_REQUEST
    return None
