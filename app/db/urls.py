"""Database addresses as people write them, made into those that the drivers take. Pure."""

from typing import Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

DRIVERS = {
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
}
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def normalised(raw: str) -> tuple[URL, dict[str, Any]]:
    """The URL with its driver, and connect_args for what asyncpg does not take in a URL (`sslmode`).

    Errors: ValueError that says what to write instead; never the address, for it holds the password.
    """
    try:
        found = make_url(raw)
    except (ArgumentError, ValueError):
        raise ValueError(
            "is not an address such as sqlite:///var/lanyard.db or postgresql://user@host/database"
        ) from None
    driver = DRIVERS.get(found.drivername, found.drivername)
    if driver not in DRIVERS.values():
        raise ValueError(f"names {found.drivername}: only sqlite:// and postgresql:// are supported")
    if driver == DRIVERS["sqlite"] and found.database in (None, "", ":memory:"):
        raise ValueError("names no file: each connection would have a database of its own")
    arguments: dict[str, Any] = {}
    if mode := found.query.get("sslmode"):
        if mode not in SSL_MODES:
            raise ValueError(f"has an unknown sslmode: use one of {', '.join(SSL_MODES)}")
        arguments["ssl"] = mode
    return found.set(drivername=driver).difference_update_query(["sslmode"]), arguments
