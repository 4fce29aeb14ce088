"""Doctor's checks of the settings and of this machine: files, port, addresses."""

import errno
import http.client
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from app import hosts, setting_files
from app.auth.sessions import device_binding
from app.cli.doctor import Finding
from app.settings import get_settings

IN_A_CONTAINER = Path("/run/secrets")  # files there are open to all, where nobody else is


def examine() -> Iterator[Finding]:
    settings = get_settings()
    yield Finding("settings", f"{settings.env}, {settings.origin}")
    yield from _files()
    yield _port()
    yield from _addresses()
    yield _device_binding()


def _files() -> Iterator[Finding]:
    """Anyone who reads the secret can make tokens for any user (v5.0.0-13.3.2)."""
    found = [setting_files.env_file(), *_database_file()]
    if folder := setting_files.secrets_folder():
        found += folder.iterdir()
    for file in found:
        try:
            open_to_others = file.is_file() and stat.S_IMODE(file.stat().st_mode) & 0o077
        except OSError:
            continue  # in a folder that is closed to us, too
        if open_to_others and file.parent != IN_A_CONTAINER:
            yield Finding("files", f"{file} can be read by other users of this machine", f"chmod 600 {file}")


def _database_file() -> list[Path]:
    kind, _, path = get_settings().database_url.partition(":///")
    return [Path(path + end) for end in ("", "-wal", "-shm")] if kind.startswith("sqlite") else []


def _port() -> Finding:
    settings = get_settings()
    where = f"{settings.host}:{settings.port}"
    try:
        socket.create_server((settings.host, settings.port), family=_family(settings.host)).close()
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return Finding(
                "port", f"{where}: {error.strerror}", "HOST must be an address of this machine, PORT above 1023"
            )
        if _answers_as_we_do(hosts.reached_at(settings.host), settings.port):
            return Finding("port", f"{where} is in use by this application")
        return Finding("port", f"{where} is taken by another program", f"stop it, or choose PORT={settings.port + 1}")
    return Finding("port", f"{where} is free")


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _answers_as_we_do(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        return bool(answer.read(10) == b"ok" and answer.headers["X-Request-ID"])
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _device_binding() -> Finding:
    """Can copied cookies be kept from renewing a session? Only over https, and only where the browser can."""
    if device_binding.is_offered():
        return Finding("device", "sessions are bound to their device where the browser can")
    if get_settings().device_bound == "off":
        return Finding("device", "sessions are not bound: APP_DEVICE_BOUND=off", "APP_DEVICE_BOUND=on", note=True)
    fix = "serve the site over https, with PUBLIC_ORIGIN=https://..."
    return Finding("device", "no browser binds sessions over plain http", fix, note=True)


def _addresses() -> Iterator[Finding]:
    settings = get_settings()
    parts = urlsplit(settings.origin)
    if parts.hostname in ("127.0.0.1", "::1"):
        says = (
            "PUBLIC_ORIGIN is an IP address: passkeys do not work with one, and for a browser it is another site "
            "than localhost"
        )
        yield Finding("address", says, f"PUBLIC_ORIGIN={parts.scheme}://localhost:{parts.port or settings.port}")
    elif parts.scheme == "http" and settings.secure_cookies:
        says = "Safari does not store Secure cookies on http://localhost; Chrome, Edge and Firefox do"
        yield Finding("address", says, "to use Safari, set COOKIE_INSECURE=true, in development only", note=True)
    if settings.cookie_insecure and parts.scheme == "https":
        says = "COOKIE_INSECURE=true on an https site: cookies lose Secure and the __Host- prefix without need"
        yield Finding("cookies", says, "remove COOKIE_INSECURE")
    elif settings.cookie_insecure and parts.hostname != "localhost":
        yield Finding(
            "cookies", "cookies are sent unencrypted: anybody on the network can take over sessions", "use https"
        )
