"""The closed list of options that a database URL may have, and how one on it is read.

An option that is not on the list is refused, not ignored: it may be the one that keeps an attacker out. As
`database_urls`, this imports nothing but the standard library.
Source: PostgreSQL, "Connection URIs" (libpq-connect).
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
CERTAIN = ("require", "verify-ca", "verify-full")  # with the others, a server can ask for no TLS
WRITING = ("any", "read-write", "primary")

# Option -> its values: one of these words, or what the pattern matches.
ANYTHING = re.compile(r".+")
OPTIONS: dict[str, tuple[str, ...] | re.Pattern[str]] = {
    "sslmode": SSL_MODES,
    "sslrootcert": ANYTHING,
    "sslcert": ANYTHING,
    "sslkey": ANYTHING,
    "channel_binding": ("disable", "prefer", "require"),
    "application_name": re.compile(r"[\x20-\x7e]{1,63}"),
    "connect_timeout": re.compile(r"[1-9]|[1-5][0-9]|60"),
    "options": re.compile(r"[^\x00-\x1f]+"),
    "target_session_attrs": WRITING,
    "pgbouncer": ("true", "false"),
    "host": ANYTHING,
    "port": re.compile(r"[0-9,]+"),
}
# Other options that hosting companies print -> what to do instead.
INSTEAD = {
    "ssl": "write sslmode=require, or better sslmode=verify-full",
    "sslaccept": "write sslmode=verify-full",
    "sslnegotiation": "leave it out",
    "gssencmode": "leave it out",
    "hostaddr": "write the address in place of the host",
    "user": "write the user before the host: postgresql://user:password@host/database",
    "password": "write the password before the host: postgresql://user:password@host/database",
    "dbname": "write the database after the host: postgresql://user:password@host/database",
    "schema": "leave it out: the tables stand in the schema public",
    "connection_limit": "leave it out, and set APP_DATABASE_POOL_SIZE",
    "pool_timeout": "leave it out",
}
# The environment variables of PostgreSQL's programs. Those of TLS count for a URL that does not set the option.
VARIABLES = {
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "channel_binding": "PGCHANNELBINDING",
    "application_name": "PGAPPNAME",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "options": "PGOPTIONS",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}
SYSTEM = "system"  # sslrootcert: the authorities that this machine trusts


def parsed(query: str) -> dict[str, str]:
    """The options of a query string, decoded. Errors: ValueError that says what to write instead, without a secret."""
    found: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name not in OPTIONS:
            instead = INSTEAD.get(name, f"use no other ones than {', '.join(OPTIONS)}")
            raise ValueError(f"has an option that means nothing here, {_shown(name)}: {instead}")
        if name in found and name != "host":
            raise ValueError(f"says {name} twice")
        # SQLAlchemy writes each host by itself, libpq one list.
        found[name] = f"{found[name]},{decoded(value)}" if name in found else decoded(value)
    for name, value in found.items():
        allowed = OPTIONS[name]
        if isinstance(allowed, tuple):
            if value not in allowed:
                raise ValueError(f"has an unknown {name}: use one of {', '.join(allowed)}{_why(name, value)}")
        elif not allowed.fullmatch(value):
            raise ValueError(f"has a {name} that cannot be: it is to be {_described(name)}")
    return found


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """The options of TLS that the variables of PostgreSQL set, for a URL that does not."""
    return {
        name: environment[variable]
        for name, variable in VARIABLES.items()
        if name.startswith("ssl") and environment.get(variable)
    }


def _shown(name: str) -> str:
    """A name that is no name may be the end of a password with a question mark in it."""
    return name if re.fullmatch(r"[a-zA-Z_]{1,30}", name) else "without a name"


def _why(name: str, value: str) -> str:
    if name == "target_session_attrs" and value in ("read-only", "standby", "prefer-standby"):
        return "; this application writes"
    return ""


def _described(name: str) -> str:
    return {
        "connect_timeout": "whole seconds from 1 to 60: a request waits for them",
        "application_name": "1 to 63 plain characters",
        "port": "a number, or one for each host with commas between",
    }.get(name, "something")


def decoded(text: str) -> str:
    """Percent-decoded, as in a URL and not as in a form: a plus is a plus. Errors: ValueError."""
    if re.search(r"%(?![0-9a-fA-F]{2})", text):
        raise ValueError("has a % that is not followed by two hex digits: the sign itself is written as %25")
    try:
        found = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("has signs such as %FF that are not UTF-8") from None
    if "\0" in found:
        raise ValueError("has a %00, which is never part of an address")
    return found
