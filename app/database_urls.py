"""Database URLs as people write them and hosting companies print them. `database_options` has the list of options.

Imports nothing but the standard library, because `deploy/backup.py` runs without the packages of the application.
Source: PostgreSQL, "Connection URIs" (libpq-connect).
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app import database_options
from app.database_options import CERTAIN, SSL_MODES, SYSTEM, VARIABLES, decoded

SCHEMES = {
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "postgresql+asyncpg": "postgresql",
    "sqlite": "sqlite",
    "sqlite+aiosqlite": "sqlite",
}
SIGNS = "signs in the password such as @ : / # ? % are written as %40 %3A %2F %23 %3F %25"
PORT = 5432
FOLDER = re.compile(r"(/.+)()")  # of a Unix socket; some have colons in it
NAME = re.compile(r"(\[[^]]+\]|[^:\[\]]+)(?::(.*))?")  # with its port; in brackets an address that has colons itself


@dataclass(frozen=True, slots=True)
class Address:
    """What an address says. `kind`: "sqlite", whose `database` is a file, or "postgresql".

    `hosts`: name, address or folder of a Unix socket, and port; in the order in which to try them, none for a server on
    this machine. `options`: of `database_options.OPTIONS`, but for host and port.
    """

    kind: str
    database: str
    user: str = ""
    password: str = field(default="", repr=False)
    hosts: tuple[tuple[str, int], ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def sslmode(self) -> str:
        """The one that counts; "" where neither the address nor the environment says one.

        The driver cannot bind to the channel, which keeps others from standing in between: to be sure who answers does
        so too.
        """
        if self.options.get("channel_binding") == "require" or self.options.get("sslrootcert") == SYSTEM:
            return "verify-full"
        return self.options.get("sslmode", "")

    @property
    def authorities(self) -> str:
        """The file of those who may vouch for the server; "" where it is the system's, or nobody is asked."""
        named = self.options.get("sslrootcert", "")
        usual = Path("~/.postgresql/root.crt").expanduser()
        return "" if named == SYSTEM else named or (str(usual) if usual.is_file() else "")

    @property
    def target(self) -> str:
        """Of several servers the one that takes writes, unless the address says otherwise; "" for a single one."""
        return self.options.get("target_session_attrs", "read-write" if len(self.hosts) > 1 else "")

    @property
    def is_pooled(self) -> bool:
        return self.options.get("pgbouncer") == "true"

    @property
    def is_local(self) -> bool:
        """Whether what is said stays on this machine."""
        return all(name.startswith("/") or name in ("localhost", "127.0.0.1", "::1") for name, _ in self.hosts)

    def __str__(self) -> str:
        """For people: without user, password and options."""
        if self.kind == "sqlite":
            return self.database
        return f"{', '.join(name for name, _ in self.hosts) or 'this machine'}/{self.database}"

    def environment(self) -> dict[str, str]:
        """For the programs of PostgreSQL: a command line is for everybody to read."""
        said = {
            "PGHOST": ",".join(name for name, _ in self.hosts),
            "PGPORT": ",".join(str(port) for _, port in self.hosts),
            "PGUSER": self.user,
            "PGPASSWORD": self.password,
            "PGDATABASE": self.database,
            **{variable: self.options.get(name, "") for name, variable in VARIABLES.items()},
            "PGTARGETSESSIONATTRS": self.target,
        }
        if self.options.get("sslmode") == "verify-full":
            said["PGSSLROOTCERT"] = self.authorities or SYSTEM
        return {variable: value for variable, value in said.items() if value}


def parsed(written: str, environment: Mapping[str, str] = os.environ) -> Address:
    """Errors: ValueError that says what to write instead; never the address, for it holds the password."""
    scheme, found, rest = written.partition("://")
    if not found:
        raise ValueError("is not an address such as sqlite:///var/lanyard.db or postgresql://user@host/database")
    if scheme not in SCHEMES:
        raise ValueError("is for another driver or database: it begins with postgresql:// or sqlite:///")
    if SCHEMES[scheme] == "sqlite":
        return _sqlite(rest)
    where, _, query = rest.partition("?")
    before, _, database = where.partition("/")
    if "@" in database or "/" in database:
        raise ValueError(f"has an @ or a / after the host: {SIGNS}")
    who, _, hosts = before.rpartition("@")
    user, _, password = who.partition(":")
    options = database_options.inherited(environment) | database_options.parsed(query)
    listed = tuple(_hosts(hosts or options.pop("host", ""), options.pop("port", ""), quoted=bool(hosts)))
    if hosts and "host" in options:
        raise ValueError("names hosts twice: before the database, and as host=")
    address = Address("postgresql", decoded(database), decoded(user), decoded(password), listed, options)
    _refuse_what_cannot_be_meant(address)
    return address


def _sqlite(rest: str) -> Address:
    path, query, _ = rest.partition("?")
    if query:
        raise ValueError("has options, and a file of SQLite takes none: end it before the question mark")
    if path in ("", "/", "/:memory:"):
        raise ValueError("names no file: each connection would have a database of its own")
    if not path.startswith("/"):
        raise ValueError("names a host, where a file of SQLite has three strokes: sqlite:///var/lanyard.db")
    return Address("sqlite", path[1:])


def _hosts(written: str, ports: str, *, quoted: bool) -> Iterator[tuple[str, int]]:
    names = written.split(",") if written else []
    if not names and ports:
        raise ValueError("has a port and no host: host=")
    listed = ports.split(",") if ports else []
    if len(listed) not in (0, 1, len(names)):
        raise ValueError("has not as many ports as hosts")
    for number, each in enumerate(names):
        given = (listed * len(names))[number] if listed else ""
        if not (found := (FOLDER if each.startswith("/") else NAME).fullmatch(each)):
            raise ValueError(f"has no host that can be read: {SIGNS}")
        port = found[2] or given or str(PORT)
        if not port.isascii() or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError(f"has a port that is no number from 1 to 65535: {SIGNS}")
        name = (decoded(found[1]) if quoted else found[1]).strip("[]")
        if not (name.startswith("/") or is_a_name(name)):
            raise ValueError("has a host that no name server knows: parts of 1 to 63 signs, with dots between")
        yield name, int(port)


def is_a_name(host: str) -> bool:
    """Whether it can be asked for. The driver would end in an error of its own."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True


def _refuse_what_cannot_be_meant(address: Address) -> None:
    options, mode = address.options, address.sslmode
    if mode not in ("", *SSL_MODES):  # from the environment
        raise ValueError(f"has an unknown sslmode: use one of {', '.join(SSL_MODES)}")
    if ("sslcert" in options) != ("sslkey" in options):
        raise ValueError("has sslcert without sslkey, or the other way round: they belong together")
    if options.get("sslmode", mode) not in CERTAIN:
        if "sslcert" in options or "sslrootcert" in options:
            raise ValueError("has certificates that would not be used: add sslmode=verify-full")
        if options.get("channel_binding") == "require":
            raise ValueError("has channel_binding=require, and may speak without TLS: add sslmode=verify-full")
    if options.get("sslrootcert") == SYSTEM and options.get("sslmode", "verify-full") != "verify-full":
        raise ValueError("has sslrootcert=system, where anybody may have a certificate: add sslmode=verify-full")
    if mode == "verify-ca" and not address.authorities:
        raise ValueError("has sslmode=verify-ca without sslrootcert=FILE: add it, or use sslmode=verify-full")
    if len(address.hosts) > 1 and address.options.get("target_session_attrs") == "any":
        raise ValueError("has several hosts, and any of them would do: leave out target_session_attrs, or read-write")
