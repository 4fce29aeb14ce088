"""Our own reading of the Cookie header; nothing else in the application may read cookies.

The framework's parser takes the last of two equal names, percent-decodes values and strips every Unicode space from
names, so a cookie planted by a sibling host as `<no-break space>__Host-refresh` overrides the real one. A sibling may
plant many, too: the header is split once in a request, and only cookies requested by name are read.
Chapter: "Tokens in cookies".
Source: RFC 6265 section 4.1.1 (the grammar), section 8.6 (weak integrity); v5.0.0-3.3.*, v5.0.0-15.2.2.
"""

import re
from collections.abc import MutableMapping
from typing import Any

LONGEST = 768 * 1024  # bytes of all cookies: a browser keeps up to 180 for a site and its siblings, of 4096 bytes each
MOST = 4096  # cookies
LONGEST_VALUE = 4096

_VALUE = re.compile(rb"[\x20-\x7e]*")


class Jar:
    """The cookies of a request by name, values exactly as sent (quotes kept, nothing decoded)."""

    def __init__(self, header: bytes) -> None:
        self._sent: dict[bytes, bytes | None] = {}
        if len(header) > LONGEST or header.count(b";") > MOST:
            return  # no browser sends that
        for pair in header.split(b";"):
            name, equals, value = pair.strip(b" \t").partition(b"=")
            if equals:
                self._sent[name] = None if name in self._sent else value

    def get(self, name: str) -> str | None:
        """None also for a name that occurs twice: one of the two was planted, and nobody can say which."""
        value = self._sent.get(name.encode("ascii"))
        if value is None or len(value) > LONGEST_VALUE or not _VALUE.fullmatch(value):
            return None
        return value.decode("ascii")

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None


def read(scope: MutableMapping[str, Any]) -> Jar:
    """The cookies of a request. Several headers are one."""
    jar: Jar | None = scope.get("jar")
    if jar is None:
        headers = [value for name, value in scope["headers"] if name.lower() == b"cookie"]
        jar = scope["jar"] = Jar(b";".join(headers))
    return jar
