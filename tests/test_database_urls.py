"""Addresses as people write them, and one closed list of what may stand in them."""

from pathlib import Path

import pytest

from app.database_options import OPTIONS, SSL_MODES
from app.database_urls import Address, parsed

ANN = "postgresql://ann:hunter2@db/lanyard"


@pytest.mark.parametrize(
    ("written", "database"),
    [
        ("sqlite:///var/lanyard.db", "var/lanyard.db"),
        ("sqlite:////srv/lanyard.db", "/srv/lanyard.db"),
        ("sqlite+aiosqlite:////srv/lanyard.db", "/srv/lanyard.db"),
    ],
)
def test_file_of_sqlite(written: str, database: str) -> None:
    assert parsed(written, {}) == Address("sqlite", database)


@pytest.mark.parametrize(
    ("written", "user", "password", "hosts", "database"),
    [
        ("postgres://ann@db/lanyard", "ann", "", [("db", 5432)], "lanyard"),
        ("postgresql://ann@db/lanyard", "ann", "", [("db", 5432)], "lanyard"),
        ("postgresql+asyncpg://ann@db:5433/lanyard", "ann", "", [("db", 5433)], "lanyard"),
        ("postgres://ann:p%40ss%2Fw%3Ard@db/a%20b", "ann", "p@ss/w:rd", [("db", 5432)], "a b"),
        ("postgres://ann:p+ss@db/lanyard", "ann", "p+ss", [("db", 5432)], "lanyard"),
        ("postgres://a%40b:x@db/lanyard", "a@b", "x", [("db", 5432)], "lanyard"),
        ("postgres://ann:p@ss#1@db/lanyard", "ann", "p@ss#1", [("db", 5432)], "lanyard"),
        ("postgres://ann@[::1]:5433/lanyard", "ann", "", [("::1", 5433)], "lanyard"),
        ("postgres://ann@[::1]/lanyard", "ann", "", [("::1", 5432)], "lanyard"),
        ("postgresql:///lanyard", "", "", [], "lanyard"),
        ("postgresql://", "", "", [], ""),
        ("postgresql://ann@%2Frun%2Fpostgresql:5433/lanyard", "ann", "", [("/run/postgresql", 5433)], "lanyard"),
        ("postgresql://ann@/lanyard?host=/run/postgresql", "ann", "", [("/run/postgresql", 5432)], "lanyard"),
        ("postgresql://ann@/lanyard?host=/sql/a:b:c", "ann", "", [("/sql/a:b:c", 5432)], "lanyard"),
        ("postgresql://ann@/lanyard?host=%2Frun&port=5433", "ann", "", [("/run", 5433)], "lanyard"),
        ("postgresql://a:1,b:2/lanyard", "", "", [("a", 1), ("b", 2)], "lanyard"),
        ("postgresql://a,b:2/lanyard", "", "", [("a", 5432), ("b", 2)], "lanyard"),
        ("postgresql://a,b/lanyard?port=7", "", "", [("a", 7), ("b", 7)], "lanyard"),
        ("postgresql:///lanyard?host=a:1&host=b:2", "", "", [("a", 1), ("b", 2)], "lanyard"),
        ("postgresql:///lanyard?host=a,b&port=1,2", "", "", [("a", 1), ("b", 2)], "lanyard"),
        ("postgresql:///lanyard?host=[::1]:1,b", "", "", [("::1", 1), ("b", 5432)], "lanyard"),
    ],
)
def test_server_of_postgresql(
    written: str, user: str, password: str, hosts: list[tuple[str, int]], database: str
) -> None:
    address = parsed(written, {})

    assert (address.user, address.password, list(address.hosts)) == (user, password, hosts)
    assert (address.kind, address.database) == ("postgresql", database)


@pytest.mark.parametrize("mode", SSL_MODES)
def test_every_sslmode_is_known(mode: str) -> None:
    assert (
        parsed(f"{ANN}?sslmode={mode}&sslrootcert=x" if mode == "verify-ca" else f"{ANN}?sslmode={mode}").sslmode
        == mode
    )


def test_every_option_is_taken_as_it_stands() -> None:
    written = {
        "sslmode": "verify-full",
        "sslrootcert": "/etc/ca%20file.pem",
        "sslcert": "/etc/a.pem",
        "sslkey": "/etc/a.key",
        "channel_binding": "prefer",
        "application_name": "Lanyard%201",
        "connect_timeout": "10",
        "options": "-c%20geqo%3Doff",
        "target_session_attrs": "primary",
        "pgbouncer": "true",
    }

    address = parsed(f"{ANN}?{'&'.join(f'{name}={value}' for name, value in written.items())}", {})

    assert written.keys() | {"host", "port"} == OPTIONS.keys()
    assert address.options["sslrootcert"] == address.authorities == "/etc/ca file.pem"
    assert address.options["options"] == "-c geqo=off"
    assert (address.target, address.is_pooled, address.sslmode) == ("primary", True, "verify-full")


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("", "is not an address"),
        ("lanyard.db", "is not an address"),
        ("mysql://ann:hunter2@db/lanyard", "another driver or database"),
        ("postgresql+psycopg2://ann:hunter2@db/lanyard", "another driver"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite://hunter2/lanyard.db", "three strokes"),
        ("sqlite:///lanyard.db?mode=ro", "takes none"),
        ("postgres://ann:hunter2@db:port/lanyard", "number from 1 to 65535"),
        ("postgres://ann:hunter2@db:0/lanyard", "number from 1 to 65535"),
        ("postgres://ann:hunter/2@db/lanyard", "%3A %2F %23"),
        ("postgres://ann:p@ss/hunter2@db/lanyard", "an @ or a / after the host"),
        ("postgres://ann:hunter?2@db/lanyard", "means nothing here, without a name"),
        ("postgres://ann:hunter2%@db/lanyard", "written as %25"),
        ("postgres://ann:hunter2%ff@db/lanyard", "not UTF-8"),
        ("postgres://ann:hunter2%00@db/lanyard", "%00"),
        ("postgres://ann:hunter2@a,,b/lanyard", "no host that can be read"),
        ("postgres://ann:hunter2@::1/lanyard", "no host that can be read"),
        (f"{ANN}?sslmode=", "unknown sslmode: use one of disable, allow"),
        (f"{ANN}?sslmode=no-verify", "unknown sslmode"),
        (f"{ANN}?sslmode=require&sslmode=disable", "says sslmode twice"),
        (f"{ANN}?sslmode=verify-ca", "without sslrootcert=FILE"),
        (f"{ANN}?sslmode=require&sslrootcert=system", "sslrootcert=system, where anybody"),
        (f"{ANN}?sslrootcert=ca.pem", "would not be used: add sslmode=verify-full"),
        (f"{ANN}?sslmode=prefer&sslcert=a&sslkey=b", "would not be used"),
        (f"{ANN}?sslmode=require&sslcert=a", "belong together"),
        (f"{ANN}?sslmode=allow&channel_binding=require", "may speak without TLS"),
        (f"{ANN}?channel_binding=maybe", "unknown channel_binding"),
        (f"{ANN}?connect_timeout=0", "whole seconds from 1 to 60"),
        (f"{ANN}?connect_timeout=1.5", "whole seconds"),
        (f"{ANN}?application_name=%0A", "plain characters"),
        (f"{ANN}?target_session_attrs=standby", "this application writes"),
        ("postgresql://a,b/lanyard?target_session_attrs=any", "any of them would do"),
        (f"{ANN}?host=a", "names hosts twice"),
        ("postgresql:///lanyard?port=5433", "has a port and no host"),
        ("postgresql:///lanyard?host=a,b,c&port=1,2", "not as many ports as hosts"),
        (f"{ANN}?ssl=true", "write sslmode=require"),
        (f"{ANN}?schema=public", "leave it out"),
        (f"{ANN}?keepalives=1", "use no other ones than sslmode, sslrootcert"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line_without_the_password(written: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        parsed(written, {})

    assert says in str(caught.value)
    assert "hunter" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_of_several_hosts_the_one_that_takes_writes_is_meant() -> None:
    assert parsed("postgresql://a,b/lanyard", {}).target == "read-write"
    assert parsed("postgresql://a/lanyard", {}).target == ""


def test_to_be_sure_who_answers_takes_the_place_of_a_bound_channel() -> None:
    """The driver cannot bind to the channel: without this the option would be a word."""
    assert parsed(f"{ANN}?sslmode=require&channel_binding=require", {}).sslmode == "verify-full"
    assert parsed(f"{ANN}?channel_binding=require", {}).sslmode == "verify-full"
    assert parsed(f"{ANN}?sslrootcert=system", {}).sslmode == "verify-full"


def test_variables_of_tls_count_where_the_address_says_nothing() -> None:
    environment = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/etc/ca.pem", "PGOPTIONS": "-c geqo=off"}

    address = parsed(ANN, environment)

    assert (address.sslmode, address.authorities) == ("verify-full", "/etc/ca.pem")
    assert "options" not in address.options
    assert parsed(f"{ANN}?sslmode=require", environment).sslmode == "require"
    with pytest.raises(ValueError, match="unknown sslmode"):
        parsed(ANN, {"PGSSLMODE": "sometimes"})


def test_usual_file_of_authorities_counts_where_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parsed(f"{ANN}?sslmode=verify-full", {}).authorities == ""

    (tmp_path / ".postgresql").mkdir()
    (tmp_path / ".postgresql" / "root.crt").touch()

    assert parsed(f"{ANN}?sslmode=verify-full", {}).authorities == f"{tmp_path}/.postgresql/root.crt"
    assert parsed(f"{ANN}?sslrootcert=system", {}).authorities == ""


def test_programs_of_postgresql_are_told_the_same() -> None:
    written = "postgresql://ann:p%40ss@a:1,b/lanyard?sslmode=verify-full&connect_timeout=3&application_name=x&options=-c%20geqo%3Doff"

    assert parsed(written, {}).environment() == {
        "PGHOST": "a,b",
        "PGPORT": "1,5432",
        "PGUSER": "ann",
        "PGPASSWORD": "p@ss",
        "PGDATABASE": "lanyard",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "system",
        "PGCONNECT_TIMEOUT": "3",
        "PGAPPNAME": "x",
        "PGOPTIONS": "-c geqo=off",
        "PGTARGETSESSIONATTRS": "read-write",
    }


def test_what_is_shown_of_an_address_has_no_secret() -> None:
    address = parsed("postgresql://ann:hunter2@a:1,b/lanyard", {})

    assert str(address) == "a, b/lanyard"
    assert "hunter2" not in repr(address)
    assert str(parsed("postgresql:///lanyard", {})) == "this machine/lanyard"


@pytest.mark.parametrize(
    ("hosts", "local"),
    [("", True), ("localhost", True), ("%2Frun", True), ("[::1]", True), ("localhost,db", False), ("db", False)],
)
def test_whether_what_is_said_stays_on_this_machine(hosts: str, local: bool) -> None:
    assert parsed(f"postgresql://{hosts}/lanyard", {}).is_local is local
