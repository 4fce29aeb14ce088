#!/usr/bin/env python3
"""Save the database that DATABASE_URL names into a file, or fill a new one from such a file.

    DATABASE_URL=... python3 deploy/backup.py save FILE      while the site runs; a copy of one moment
    DATABASE_URL=... python3 deploy/backup.py restore FILE   into an empty PostgreSQL database or a new SQLite file

Before a restore stop every server. PostgreSQL: CREATE DATABASE, run roles.sql in it if the site has its two roles, and
restore with the address of lanyard_owner. SQLite: move the old file away, and what lies beside it (-wal, -shm). It
ends with the rights that roles.sql gives, and says what to run afterwards.

A backup is as secret as the database: keep it elsewhere, encrypted, and try restoring now and then. It also remembers
too much: sessions ended since then, links that were used, e-mails that were sent. So a restore signs everybody out,
voids e-mailed links and drops queued e-mails (after-restore.sql), in the same transaction.
Needs nothing but Python and app/database_*.py; for PostgreSQL its own pg_dump, pg_restore and psql on PATH (from 16
on, where `sslmode=verify-full` names no file), and the server's own address: through a pooler it is refused.
Exit codes: 0 done, 1 could not be done, 2 wrong usage. What is there already is never overwritten.
"""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
AFTER = Path(__file__).with_name("after-restore.sql")
# The end of roles.sql: a new database gives the site by default what a migration took from it in the old one.
RIGHTS = Path(__file__).with_name("roles.sql"), "-- From here on also after a restore", "COMMIT;"
MAY = (
    "SELECT count(*) = 2 AND bool_or(rolname = 'lanyard_owner' AND pg_has_role(oid, 'USAGE')) AS may "
    "FROM pg_roles WHERE rolname IN ('lanyard_owner', 'lanyard_app')"
)
NO_RIGHTS = "without rights"
NEXT = "Restored; every session is ended. Now: {}python -m app migrate, python -m app doctor."
BESIDE = ("-wal", "-shm", "-journal")  # what SQLite reads into a file of that name
# A setting of nobody's own. It arrives as what a client says when it connects, and no pooler passes that on.
DIRECT = "-c lanyard.direct=true"


class Refused(Exception):
    pass


def main(arguments: list[str]) -> int:
    work = {
        "save": {"sqlite": save_sqlite, "postgresql": save_postgresql},
        "restore": {"sqlite": restore_sqlite, "postgresql": restore_postgresql},
    }
    if len(arguments) != 2 or arguments[0] not in work or not (written := os.environ.get("DATABASE_URL")):
        print(__doc__, file=sys.stderr)
        return 2
    sys.path.append(str(ROOT))
    from app import database_urls

    try:
        address = database_urls.parsed(written)
    except ValueError as error:
        print(f"backup: DATABASE_URL {error}", file=sys.stderr)
        return 2
    os.umask(0o077)
    try:
        work[arguments[0]][address.kind](Path(arguments[1]), address)
    except (OSError, sqlite3.Error, Refused) as error:
        print(f"backup: {error}", file=sys.stderr)
        return 1
    return 0


def save_sqlite(file: Path, address: Any) -> None:
    _copy(_there(Path(address.database)), _new(file))


def restore_sqlite(file: Path, address: Any) -> None:
    _copy(_there(file), _new(Path(address.database)), AFTER.read_text())
    print(NEXT.format(""))


def save_postgresql(file: Path, address: Any) -> None:
    _refuse_a_pooler(address)
    part = _new(file).with_name(f"{file.name}.part")
    _run(address, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={part}")
    _run(address, "pg_restore", "--list", str(part))  # it can be read again
    part.replace(file)


def restore_postgresql(file: Path, address: Any) -> None:
    _refuse_a_pooler(address)
    tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
    if _run(address, "psql", "--no-psqlrc", "--tuples-only", "--no-align", f"--command={tables}").strip() != "0":
        raise Refused("the database is not empty")
    statements = _run(address, "pg_restore", "--no-owner", "--no-privileges", "--file=-", str(_there(file)))
    # One transaction: nobody ever sees half of it, or old sessions alive. The dump leaves an empty search path behind.
    file, begin, end = RIGHTS
    rights = file.read_text().partition(begin)[2].rpartition(end)[0].partition("\n")[2]
    script = f"""BEGIN;\n{statements}\nSET LOCAL search_path = public;\n{AFTER.read_text()}
{MAY} \\gset\n\\if :may\n{rights}\n\\else\n\\echo {NO_RIGHTS}\n\\endif\nCOMMIT;\n"""
    said = _run(address, "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null", text=script)
    roles = "deploy/roles.sql as a superuser, if the site has its two roles; "
    print(NEXT.format(roles if NO_RIGHTS in said else ""))


def _refuse_a_pooler(address: Any) -> None:
    """A dump leaves an empty search path, in which the next user of the connection would find no table."""
    try:
        _run(address, "psql", "--no-psqlrc", "--command=SHOW lanyard.direct", PGOPTIONS=DIRECT)
    except Refused as error:
        if "lanyard.direct" in str(error) or "startup parameter" in str(error):
            raise Refused("a pooler stands before the database: give the address of the server itself") from None
        raise


def _run(address: Any, program: str, *arguments: str, text: str = "", **variables: str) -> str:
    """With the address in the environment: a command line is for everybody to read."""
    environment = os.environ | address.environment() | variables
    done = subprocess.run([program, *arguments], env=environment, input=text, text=True, capture_output=True)
    if done.returncode:
        raise Refused(f"{program}: {done.stderr.strip()}")
    return done.stdout


def _copy(source: Path, target: Path, script: str = "") -> None:
    for beside in (target.with_name(target.name + end) for end in BESIDE):
        if beside.exists():
            raise Refused(f"{beside} is there, of a database that died: with all servers stopped, move it away as well")
    part = target.with_name(f"{target.name}.part")
    for end in ("", *BESIDE):
        part.with_name(part.name + end).unlink(missing_ok=True)
    connected = sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)
    with closing(connected) as old, closing(sqlite3.connect(part, isolation_level=None)) as new:
        old.backup(new)  # waits for nobody, and holds nobody up
        new.execute("PRAGMA journal_mode=DELETE").close()  # one file
        new.executescript(f"BEGIN; {script} COMMIT;")
        (decision,) = new.execute("PRAGMA integrity_check").fetchone()
        if decision != "ok":
            raise Refused(f"{source}: {decision}")
    part.replace(target)


def _there(file: Path) -> Path:
    if not file.is_file():
        raise Refused(f"{file} is not there")
    return file


def _new(file: Path) -> Path:
    if file.exists():
        raise Refused(f"{file} is there already")
    return file


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
