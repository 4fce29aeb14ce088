"""Our own reading of the Cookie header; nothing else in the application may read cookies.

The framework's parser takes the last of two equal names, percent-decodes values and strips every Unicode space from
names, so a cookie planted by a sibling host as `<no-break space>__Host-refresh` overrides the real one.
Chapter: "Where the badge is kept".
Source: RFC 6265 section 4.1.1 (the grammar), section 8.6 (weak integrity); v5.0.0-3.3.*.
"""

import re
from collections.abc import Mapping
from typing import Any

_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # token, RFC 9110 section 5.6.2
_VALUE = re.compile(rb"[\x20-\x7e]*")


def read(scope: Mapping[str, Any]) -> dict[str, str]:
    """The cookies of a request, values exactly as sent (quotes kept, nothing decoded).

    A name that occurs twice counts as absent: one of the two was planted, and nobody can say which.
    """
    found: dict[str, str] = {}
    seen: set[bytes] = set()
    for header in (value for name, value in scope["headers"] if name.lower() == b"cookie"):
        for pair in header.split(b";"):
            name, equals, value = pair.strip(b" \t").partition(b"=")
            if not equals or not _NAME.fullmatch(name):
                continue
            if name in seen:
                found.pop(name.decode("ascii"), None)
                continue
            seen.add(name)
            if _VALUE.fullmatch(value):
                found[name.decode("ascii")] = value.decode("ascii")
    return found
