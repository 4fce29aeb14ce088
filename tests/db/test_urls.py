"""Addresses as people write them."""

import pytest

from app.db.urls import normalised


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("sqlite:///var/lanyard.db", "sqlite+aiosqlite:///var/lanyard.db"),
        ("sqlite:////srv/lanyard.db", "sqlite+aiosqlite:////srv/lanyard.db"),
        ("sqlite+aiosqlite:////srv/lanyard.db", "sqlite+aiosqlite:////srv/lanyard.db"),
        ("postgres://ann@db/lanyard", "postgresql+asyncpg://ann@db/lanyard"),
        ("postgresql://ann@db/lanyard", "postgresql+asyncpg://ann@db/lanyard"),
        ("postgresql+asyncpg://ann@db:5433/lanyard", "postgresql+asyncpg://ann@db:5433/lanyard"),
        ("postgres://ann:p%40ss%2Fword@db/lanyard", "postgresql+asyncpg://ann:p%40ss%2Fword@db/lanyard"),
        ("postgres://ann@[::1]:5433/lanyard", "postgresql+asyncpg://ann@[::1]:5433/lanyard"),
        ("postgres://ann@db/lanyard?sslmode=require", "postgresql+asyncpg://ann@db/lanyard"),
    ],
)
def test_the_address_gets_the_driver_that_is_installed(written: str, used: str) -> None:
    address, _ = normalised(written)

    assert address.render_as_string(hide_password=False) == used


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"])
def test_sslmode_goes_to_the_driver_by_its_own_name(mode: str) -> None:
    address, arguments = normalised(f"postgresql://ann@db/lanyard?sslmode={mode}")

    assert arguments["ssl"] == mode
    assert "sslmode" not in address.query


@pytest.mark.parametrize(
    "written",
    [
        "",
        "lanyard.db",
        "mysql://ann:hunter2@db/lanyard",
        "postgresql+psycopg2://ann:hunter2@db/lanyard",
        "postgres://ann:hunter2@db:port/lanyard",
        "postgres://ann:hunter2@db/lanyard?sslmode=maybe",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_what_cannot_work_is_refused_without_naming_the_password(written: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        normalised(written)

    assert "hunter2" not in str(caught.value)
