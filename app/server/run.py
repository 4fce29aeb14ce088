"""Starting the server process: the checks before the start, and the configuration of uvicorn.

Opens the listening socket and prints the banner in development. Handles no requests.
Chapter: "Going live".
"""

import asyncio
import errno
import importlib
import os
import signal
import socket
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import uvicorn

from app import db, hosts
from app.auth.accounts import demo_accounts
from app.observability import logs
from app.server import memory
from app.server.workers import Supervisor
from app.settings import Settings, get_settings

log = logs.get("server")

GRACE_SECONDS = 5  # for responses in progress at shutdown
MESSAGE_BYTES = 64 * 1024  # of a message to a WebSocket; a longer one closes it (1009)
UNREAD_SECONDS = 60  # until a connection is closed whose client does not read the response


def serve(workers: int, forwarded_allow_ips: str) -> int:
    """Run the server until a signal stops it. Returns the exit code."""
    settings = get_settings()
    memory.share_one_heap()  # before any thread is started
    try:
        listeners = _listen(settings.host, settings.port)
    except OSError as error:
        return _say(_why_not(settings, error))
    with ExitStack() as stack:
        for listener in listeners:
            stack.enter_context(listener)
        stack.enter_context(_shared_metrics(workers))
        if refusal := _prepare(settings):
            return _say(refusal)
        if settings.cookie_insecure:
            log.warning("COOKIE_INSECURE=true: anybody on the network can take over sessions; use https")
        if not (settings.mail_url or settings.is_development):
            log.warning("MAIL_URL is not set: e-mails are not sent, they stay in the queue until it is")
        greet = threading.Thread(target=_greet, args=[settings], daemon=True).start
        return _run(listeners, workers, forwarded_allow_ips, greet if settings.is_development else lambda: None)


@contextmanager
def _shared_metrics(workers: int) -> Iterator[None]:
    """A directory that all workers write their metrics to; prometheus_client reads the variable at import."""
    if workers == 1:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="lanyard-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


def _listen(host: str, port: int) -> list[socket.socket]:
    """Listen before anything else: a second server on the port fails at once, and early requests wait.

    HOST=:: means all addresses of IPv6 and IPv4, on two sockets: on a shared one, IPv4 peers would be written as
    ::ffff:127.0.0.1, which does not match --forwarded-allow-ips.
    """
    with ExitStack() as stack:
        addresses = ("::", "0.0.0.0") if host == "::" else (host,)  # noqa: S104 - configured by the operator
        made = [stack.enter_context(_listener(each, port)) for each in addresses]
        stack.pop_all()  # all succeeded: leave them open
    return made


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.create_server((host, port), family=family, backlog=2048)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; connections inherit it
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_SECONDS * 1000)
    return made


def _why_not(settings: Settings, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {settings.port} is taken; choose another one, such as PORT={settings.port % 65535 + 1}"
    if error.errno == errno.EACCES:
        return f"port {settings.port} is reserved for the system; choose one above 1023: PORT=8000"
    reason = str(error.strerror).partition(" (")[0]  # what follows repeats the address
    return f"cannot listen on HOST={settings.host} PORT={settings.port}: {reason}"


def _prepare(settings: Settings) -> str | None:
    """In development, migrate the database and create the demo accounts. In production, return why it must not start.

    Production never migrates by itself: migrating is a step of the deployment.
    """
    try:
        if settings.is_development:
            db.upgrade()
            asyncio.run(_connected(demo_accounts.ensure()))
        elif pending := db.pending():
            return f"migrations are pending ({', '.join(pending)}): run `python -m app migrate` first"
        elif email := asyncio.run(_connected(demo_accounts.still_open())):
            return f"the published demo password of {email} works here: run `python -m app deactivate {email}` first"
    except db.Stopped as error:
        return str(error)
    except (db.Unavailable, OSError) as error:
        return f"the database that DATABASE_URL names does not answer: {error}"
    return None


def _run(listeners: list[socket.socket], workers: int, forwarded_allow_ips: str, started: Callable[[], None]) -> int:
    config = uvicorn.Config(
        "app.main:create_app",
        factory=True,
        workers=workers,
        http="app.server.protocol:BoundedProtocol",
        ws="app.server.protocol:QuietWebSocket",
        ws_max_size=MESSAGE_BYTES,
        ws_per_message_deflate=False,  # memory for each connection; a few bytes may unpack to many
        log_config=logs.config(),
        access_log=False,  # the application logs requests itself, without query strings
        server_header=False,
        proxy_headers=bool(forwarded_allow_ips),
        forwarded_allow_ips=forwarded_allow_ips,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_worker_healthcheck=30,  # imports take long on a busy machine
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, so that stopping exits with code 0
    try:
        if workers > 1:
            importlib.import_module("app.main")  # before the workers are forked: they share it
            from prometheus_client.multiprocess import mark_process_dead  # reads the variable of `_shared_metrics`

            mark_process_dead(os.getpid())  # its gauges, all zero, have no place in the sums and minima of the workers
            supervisor = Supervisor(config, listeners, started)
            supervisor.run()
            return int(supervisor.cannot_start)
        started()
        uvicorn.Server(config).run(listeners)
    except KeyboardInterrupt:
        pass  # uvicorn has shut down and then raises the signal again
    return 0


async def _connected(work: Any) -> Any:
    await db.connect()
    try:
        return await work
    finally:
        await db.disconnect()


def _greet(settings: Settings) -> None:
    """Wait for the first response, then print the URL and the demo accounts."""
    address, host = settings.origin, hosts.reached_at(settings.host)
    everywhere = host != settings.host
    host = f"[{host}]" if ":" in host else host
    try:
        with urllib.request.urlopen(f"http://{host}:{settings.port}/healthz", timeout=60):
            pass
    except OSError:
        return  # the server did not start, and has printed why
    accounts = "".join(f"    {one.email:<20}{one.password:<26}{one.role}\n" for one in demo_accounts.ACCOUNTS)
    others = (
        "  To use other devices, set PUBLIC_ORIGIN to the address that they open, such as\n"
        f"  http://192.168.1.7:{settings.port}; without https, set COOKIE_INSECURE=true as well.\n\n"
    )
    print(
        f"\n  Lanyard is ready: {address}\n\n"
        f"  Sign in at {address}/login as\n{accounts}\n"
        f"{others if everywhere and not settings.public_origin else ''}"
        "  Then open /dashboard and, as admin, /admin/users. Ctrl-C stops the server.\n",
        flush=True,
    )


def _say(text: str) -> int:
    print(f"lanyard: {text}", file=sys.stderr)
    return 1
