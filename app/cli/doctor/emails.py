"""Doctor's checks of the mail server: encryption, login, sender. Nothing is sent."""

import asyncio
from collections.abc import Iterator

from app.cli.doctor import Finding
from app.email import transport
from app.settings import get_settings

FIX = "correct MAIL_URL (host, port, STARTTLS, certificate, user, password or key); if the host blocks SMTP, use an API"


def examine() -> Iterator[Finding]:
    settings = get_settings()
    if not settings.mail_url:
        says = "MAIL_URL is not set: e-mails are not sent, so nobody can confirm an address or reset a password"
        if settings.is_development:
            yield Finding("mail", "not sent in development; read it at /dev/mailbox")
        else:
            yield Finding("mail", says, "MAIL_URL=smtp://user:password@host:587 and MAIL_FROM")
        return
    try:
        where = asyncio.run(transport.greet())
    except transport.Failed as error:
        says = f"the mail server does not accept e-mails: {type(error).__name__}: {error}"
        yield Finding("mail", says, FIX)
        return
    yield Finding("mail", f"{where} accepts e-mails from {settings.mail_from or 'no-reply@ this host'}")
    if not settings.mail_from:
        yield Finding("mail", "the sender is no-reply@ at the site's host name", "MAIL_FROM=you@example.com", note=True)
