"""Doctor's checks of the site as a browser gets it, from PUBLIC_ORIGIN through every proxy on the way."""

import asyncio
import http.client
import ipaddress
import json
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from app import db
from app.audit.models import event_rows
from app.auth import cookies
from app.cli.doctor import Finding
from app.mfa.passkey_pages import RELATED
from app.settings import get_settings

FORGED = "203.0.113.7"  # an address for documentation (RFC 5737): no visitor has it
NOBODY = "doctor@invalid.invalid"
MOST_RELATED = 5  # different names before the public suffix (WebAuthn Level 3, section 5.11)
ENDS_SOON = timedelta(days=14)
CLOCKS_APART = timedelta(seconds=30)


def examine(proxies: str) -> Iterator[Finding]:
    origin = get_settings().origin
    try:
        alive = _ask("GET", "/healthz")
    except ssl.SSLCertVerificationError as error:
        yield Finding(
            "tls", f"{origin}: {error.verify_message}", "install a certificate for this name that browsers trust"
        )
        return
    except (OSError, http.client.HTTPException, UnicodeError) as error:  # the last one: a name that none can have
        fix = (
            "start the server and the proxy, then run doctor again; PUBLIC_ORIGIN must be reachable from this "
            "machine too"
        )
        yield Finding("site", f"{origin} cannot be reached ({error})", fix, note=get_settings().is_development)
        return
    if alive.status != 200 or not alive.header("x-request-id"):
        fix = "the proxy must pass everything to this application, with its Host header unchanged"
        yield Finding("site", f"{origin}/healthz answers {alive.status}, not from this application", fix)
        return
    yield Finding("site", f"{origin} answers")
    yield from _tls(alive)
    yield _clock(alive)
    if _ask("GET", "/login").status == 400:  # /healthz answers whatever the name
        fix = (
            f"the proxy must pass on the Host header: {urlsplit(origin).netloc} (nginx: proxy_set_header Host "
            f"$http_host)"
        )
        yield Finding("host", "every page is refused (400): the proxy sends another Host header", fix)
        return
    yield from _cookies()
    yield from _passkeys()
    yield from _inside()
    yield _proxy(proxies)


class Answer:
    def __init__(self, response: http.client.HTTPResponse, certificate: dict[str, Any], source: str) -> None:
        self.status, self.body = response.status, response.read()
        self.headers = response.getheaders()
        self.certificate, self.source = certificate, source

    def header(self, name: str) -> str:
        return ", ".join(value for key, value in self.headers if key.lower() == name)


def _ask(method: str, path: str, body: str = "", *, origin: str = "", **headers: str) -> Answer:
    """Ask the public address, or another `origin`. Errors: OSError, http.client.HTTPException."""
    parts = urlsplit(origin or get_settings().origin)
    host, sent = parts.hostname or "", {"User-Agent": "lanyard doctor", **headers}
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(
            host, parts.port, timeout=10, context=ssl.create_default_context(), source_address=_source(host, parts.port)
        )
    else:
        connection = http.client.HTTPConnection(host, parts.port, timeout=10)
    try:
        connection.connect()
        certificate: Any = connection.sock.getpeercert() if isinstance(connection.sock, ssl.SSLSocket) else {}
        source = connection.sock.getsockname()[0]
        connection.request(method, path, body or None, sent)
        return Answer(connection.getresponse(), certificate, source)
    finally:
        connection.close()


def _source(host: str, port: int | None) -> tuple[str, int] | None:
    """To a proxy on this machine from an address that is not its own, so that the two can be told apart."""
    first = socket.getaddrinfo(host, port or 443, type=socket.SOCK_STREAM)[0][4][0]
    try:
        with socket.create_server(("127.0.0.2", 0)):
            return ("127.0.0.2", 0) if str(first).startswith("127.") else None
    except OSError:
        return None  # not every system has more than one of them


def _tls(answer: Answer) -> Iterator[Finding]:
    if not get_settings().origin.startswith("https:"):
        return
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(answer.certificate["notAfter"]), UTC)
    if ends - datetime.now(UTC) < ENDS_SOON:
        yield Finding("tls", f"the certificate expires on {ends:%d %B %Y}", "renew it (Caddy renews automatically)")
    else:
        yield Finding("tls", f"trusted, until {ends:%d %B %Y}")
    if not answer.header("strict-transport-security"):
        fix = "the proxy must not remove the Strict-Transport-Security header"
        yield Finding("headers", "the Strict-Transport-Security header is missing", fix)


def _clock(answer: Answer) -> Finding:
    apart = abs(parsedate_to_datetime(answer.header("date")) - datetime.now(UTC))
    if apart > CLOCKS_APART:
        says = f"the clocks of this machine and the server are {apart.total_seconds():.0f} seconds apart"
        return Finding("clock", says, "synchronise both clocks with NTP (timedatectl set-ntp true)")
    return Finding("clock", "the clocks of this machine and the server agree")


def _passkeys() -> Iterator[Finding]:
    """Whether browsers accept passkeys of another host here (APP_PASSKEY_SITE), and those of this one elsewhere."""
    settings = get_settings()
    host, site = urlsplit(settings.origin).hostname or "", settings.relying_party
    if len(settings.related_origins.split(",")) > MOST_RELATED:
        says = f"APP_RELATED_ORIGINS has more than {MOST_RELATED} origins: browsers may ignore the others"
        yield Finding("passkeys", says, "count the names before the public suffix: five are accepted", note=True)
    if host == site or host.endswith(f".{site}"):
        return
    where, fix = f"https://{site}{RELATED}", f"APP_RELATED_ORIGINS={settings.origin} at https://{site}"
    try:
        answer = _ask("GET", RELATED, origin=f"https://{site}")
    except (OSError, http.client.HTTPException) as error:
        yield Finding("passkeys", f"{where} cannot be read ({type(error).__name__}): no passkey works here", fix)
        return
    if answer.status == 200 and lists(answer.header("content-type"), answer.body, settings.origin):
        yield Finding("passkeys", f"those of {site} work here: {where}")
    else:
        yield Finding("passkeys", f"{where} does not list {settings.origin}: no passkey works here", fix)


def lists(kind: str, body: bytes, origin: str) -> bool:
    """Whether browsers find the origin in an answer with this Content-Type."""
    try:
        return kind.startswith("application/json") and origin in json.loads(body)["origins"]
    except (ValueError, KeyError, TypeError):
        return False


def _cookies() -> Iterator[Finding]:
    """Signing out sets both cookies, expired: with the attributes that a visitor's have."""
    answer = _ask("POST", "/logout", Origin=get_settings().origin)
    sent: Any = SimpleCookie()
    for name, value in answer.headers:
        if name.lower() == "set-cookie":
            sent.load(value)
    wanted = {"httponly": True, "samesite": "Strict", "path": "/"}
    if get_settings().secure_cookies:
        wanted["secure"] = True
    for name in (cookies.access_name(), cookies.refresh_name()):
        if name not in sent:
            fix = "the proxy must pass on Set-Cookie unchanged; POST /logout must reach the application"
            yield Finding("cookies", f"{name} does not reach the visitor ({answer.status})", fix)
            continue
        lost = [attribute for attribute, value in wanted.items() if sent[name][attribute] != value]
        if lost or sent[name]["domain"]:
            says = f"{name} reaches the visitor without {', '.join(lost) or 'its own host: with Domain'}"
            yield Finding("cookies", says, "the proxy must pass on Set-Cookie unchanged")
        else:
            yield Finding("cookies", f"{name} reaches the visitor unchanged")


def _inside() -> Iterator[Finding]:
    shown = [path for path in ("/metrics", "/openapi.json") if _ask("GET", path).status == 200]
    for path in shown:
        yield Finding("inside", f"{path} is public", "block it at the proxy", note=True)


def _proxy(proxies: str) -> Finding:
    """A sign-in that fails, with a forged address: which address does the audit log have for it?"""
    body = json.dumps({"email": NOBODY, "password": "wrong on purpose"})
    headers = {"Content-Type": "application/json", "X-Forwarded-For": FORGED, "Forwarded": f"for={FORGED}"}
    answer = _ask("POST", "/api/auth/login", body, **headers)
    if answer.status == 429:
        return Finding(
            "proxy", "unknown: too many attempts from this machine", "wait, then run doctor again", note=True
        )
    try:
        noted = asyncio.run(_noted(answer.header("x-request-id")))
    except (db.Unavailable, sa.exc.DBAPIError):
        fix = "fix the database problems, then run doctor again"
        return Finding("proxy", "unknown: the audit log cannot be read", fix, note=True)
    if noted is None:
        fix = "DATABASE_URL here must name the database of the site that PUBLIC_ORIGIN leads to"
        return Finding("proxy", "the site uses another database than this command", fix)
    if noted == FORGED:
        fix = "--forwarded-allow-ips must name the proxies alone, and the proxy must replace X-Forwarded-For"
        return Finding("proxy", "a visitor can forge the IP address that is logged and rate-limited", fix)
    if noted != answer.source and _is_inside(noted):
        now = proxies or "nobody's"
        fix = f"serve with --forwarded-allow-ips {noted} (now: {now}); the proxy must set X-Forwarded-For"
        return Finding("proxy", f"all visitors appear as {noted}: one of them can lock out all others", fix)
    return Finding("proxy", f"the visitor's own IP address is used ({noted})")


async def _noted(request_id: str) -> str | None:
    await db.connect()
    try:
        row = await db.fetch_one(sa.select(event_rows.c.ip).where(event_rows.c.request_id == request_id))
    finally:
        await db.disconnect()
    return None if row is None else str(row.ip)


def _is_inside(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_private
    except ValueError:
        return True
