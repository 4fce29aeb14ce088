"""Origins and host names, spelled as browsers spell them. Pure.

An origin is compared character by character with the header Origin, with what an authenticator has signed, and with
the start of a link. So a setting is rewritten as browsers send it, and refused if no browser could send it.
Source: WHATWG URL, "Host parsing", "Host serializing" and "Origin"; RFC 6454 section 6.2; UTS 46.
"""

import re
from ipaddress import IPv4Address, IPv6Address

import idna

LONGEST = 300  # characters that are looked at: a name has 253, and then there is a port
DEFAULT_PORTS = {"http": 80, "https": 443}
EVERYWHERE = ("0.0.0.0", "[::]")  # noqa: S104 - compared, not bound

_ORIGIN = re.compile(r"(https?)://(\[[^\[\]]*\]|[^\[\]:/?#@\\]+)(?::([0-9]*))?/?", re.IGNORECASE)
_HOST = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::[0-9]{0,5})?")
_NAME = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


def origin(text: str) -> str:
    """`scheme://host[:port]` as a browser reports it for a page that it gets from there.

    Errors: ValueError for everything that is not scheme, host and port alone, or that no browser takes for one.
    """
    match = _ORIGIN.fullmatch(text.strip()) if len(text) <= LONGEST else None
    if not match:
        raise ValueError("must be scheme and host only, such as https://app.example.com")
    scheme, host = match[1].lower(), name(match[2])
    port = int(match[3] or DEFAULT_PORTS[scheme])
    if not host:
        raise ValueError("has no valid host, such as app.example.com, 192.0.2.7 or [2001:db8::7]")
    if not 1 <= port <= 65535:
        raise ValueError("has no valid port: use 1 to 65535")
    return f"{scheme}://{host}" if port == DEFAULT_PORTS[scheme] else f"{scheme}://{host}:{port}"


def name(text: str) -> str:
    """A host as browsers spell it: lower case, punycode, an IPv6 address short and in brackets. "" for what is none."""
    try:
        if text.startswith("["):
            return f"[{_short(IPv6Address(text.strip('[]')))}]"
        text = text.lower() if text.isascii() else idna.encode(text, uts46=True).decode("ascii")
        if _NUMBER.fullmatch(text.rstrip(".").rpartition(".")[2]):
            return str(IPv4Address(text))
    except ValueError:  # idna's errors are among them
        return ""
    return text if _NAME.fullmatch(text) else ""


def requested(header: str) -> str:
    """The host that a header Host names, without its port, and without the dot that says that a name is whole."""
    match = _HOST.fullmatch(header) if len(header) <= LONGEST else None
    return name(match[1]).rstrip(".") if match else ""


def is_loopback(host: str) -> bool:
    """Does this `name` lead to the machine itself? There browsers keep Secure cookies over plain http."""
    return (
        host in ("localhost", "[::1]") or host.endswith(".localhost") or bool(re.fullmatch(r"127(\.[0-9]+){3}", host))
    )


def reached_at(host: str) -> str:
    """The address that reaches a server listening here from the same machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1"}.get(host, host)  # noqa: S104 - compared, not bound


def own_origin(host: str, port: int) -> str:
    """The origin of a server that listens here, without PUBLIC_ORIGIN.

    `localhost` if HOST includes it: passkeys do not work with IP addresses.
    """
    called = name(f"[{host}]" if ":" in host else host)
    here = is_loopback(called) or called in EVERYWHERE or not called
    return origin(f"http://{'localhost' if here else called}:{port}")


def _short(address: IPv6Address) -> str:
    if address.scope_id is not None:  # a browser takes none
        raise ValueError("a zone")
    if mapped := address.ipv4_mapped:  # Python 3.13 writes dots here, browsers do not
        return f"::ffff:{int(mapped) >> 16:x}:{int(mapped) & 0xFFFF:x}"
    return str(address)
