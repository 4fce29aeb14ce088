"""The e-mail transport: MIME without header injection, and an encrypted connection to the SMTP server or the API.

Chapter: "Transactional e-mail". Source: RFC 5322 section 3.6.4, RFC 3834 section 5, RFC 8314 section 3; v5.0.0-1.3.11,
v5.0.0-12.3.1.
"""

import ipaddress
import ssl
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import aiosmtplib
from email_validator import validate_email

from app.email import https_api
from app.email.messages import NOT_IN_A_LINE, Message
from app.setting_checks import MAILBOX
from app.settings import LOOPBACK, get_settings
from app.web import templates

STEP_SECONDS = 10  # for each answer of the mail server
PORTS = {"smtp": 587, "smtps": 465}

Failed = (aiosmtplib.SMTPException, OSError, TimeoutError, https_api.ApiError)  # errors that a retry may fix


class Undeliverable(Exception):
    """A permanent failure: no such mailbox, text refused, invalid address or subject. `str()` says which."""


def is_set_up() -> bool:
    """Can e-mails be sent? True in development: without a mail server they are shown in the mailbox page."""
    return bool(get_settings().mail_url) or get_settings().is_development


def written(message: Message, email_id: UUID, at: datetime) -> EmailMessage:
    """The MIME message for one recipient. Errors: Undeliverable.

    The Message-ID is made of the e-mail's id: if it is sent twice, because a worker died before it stored that it was
    sent, most mailboxes show it once.
    """
    try:
        checked = validate_email(
            message.recipient, allow_smtputf8=False, check_deliverability=False, globally_deliverable=False
        )
        if NOT_IN_A_LINE.search(message.subject):
            raise ValueError("the subject is not one line")
        mail = EmailMessage(policy=policy.SMTP)
        mail["From"] = _sender()
        mail["To"] = Address(addr_spec=checked.ascii_email or "")
        mail["Subject"] = message.subject
        mail["Date"] = at
        mail["Message-ID"] = f"<{email_id}@{_host()}>"
        mail["Auto-Submitted"] = "auto-generated"  # no out-of-office replies (RFC 3834)
        mail.set_content(message.text, cte="quoted-printable")
        mail.add_alternative(message.html, subtype="html", cte="quoted-printable")
        mail.as_bytes()  # encoding errors appear here, not in the middle of SMTP
    except ValueError as error:
        raise Undeliverable(f"the e-mail cannot be composed: {error}") from error
    return mail


async def send(mail: EmailMessage) -> None:
    """Send it to the server or API of MAIL_URL. Errors: Undeliverable; `Failed` if a retry may help."""
    if _is_api():
        try:
            return await https_api.send(mail)
        except https_api.RejectedError as error:
            raise Undeliverable(str(error)) from error
    try:
        await aiosmtplib.send(mail, **_server())
    except aiosmtplib.SMTPRecipientsRefused as error:
        refusal = error.recipients[0]
        if refusal.code >= 500:
            raise Undeliverable(f"{refusal.code} {refusal.message}") from error
        raise
    except aiosmtplib.SMTPDataError as error:  # after the text: the mailbox or a filter refused it
        if error.code >= 500:  # final, RFC 5321 section 4.2.1
            raise Undeliverable(f"{error.code} {error.message}") from error
        raise


async def greet() -> str:
    """Check the connection: connect as `send` does, NOOP, quit. Returns where it leads. Errors: as `send`."""
    if _is_api():
        return await https_api.greet()
    server = _server()
    async with aiosmtplib.SMTP(**server) as smtp:
        await smtp.noop()
    return f"{server['hostname']}:{server['port']}"


def _is_api() -> bool:
    return urlsplit(get_settings().mail_url).scheme.endswith("+https")


def _server() -> dict[str, Any]:
    url = urlsplit(get_settings().mail_url)
    host, implicit = url.hostname or "", url.scheme == "smtps"
    return {
        "hostname": host,
        "port": url.port or PORTS[url.scheme],
        "username": unquote(url.username) if url.username else None,
        "password": unquote(url.password) if url.password else None,
        "local_hostname": _host(),  # else the host name of this machine appears in every e-mail
        "use_tls": implicit,
        "start_tls": not implicit and host not in LOOPBACK,  # True: or not at all
        "tls_context": _tls(),
        "timeout": STEP_SECONDS,
    }


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _sender() -> Address:
    if found := MAILBOX.fullmatch(get_settings().mail_from):
        return Address(found[1] or "", addr_spec=found[2])
    return Address(templates.APP_NAME, addr_spec=f"no-reply@{_host()}")


def _host() -> str:
    host = urlsplit(get_settings().origin).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host
    return "localhost"  # digits would need a syntax of their own in each place
