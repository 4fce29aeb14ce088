"""The e-mail sender: each worker's background task that delivers queued e-mails.

An e-mail is claimed, composed, sent and marked as sent. After an error it is tried again, with growing delays. It is
delivered at least once, and twice only if a worker dies between the mail server's "250" and the update of the row.
An error with one e-mail stops neither the others nor the task.
Chapter: "Transactional e-mail". Source: v5.0.0-2.3.3 (all or nothing), v5.0.0-16.2.5 (nothing secret in the log).
"""

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from app import db
from app.email import outbox, transport
from app.email.messages import Composer, Message
from app.email.outbox import QueuedEmail
from app.observability import logs
from app.settings import get_settings
from app.web import client

log = logs.get("email")

# Delay after each failed attempt: ten attempts in a day and a half, then it has failed.
WAITS = tuple(timedelta(seconds=each) for each in (10, 60, 300, 1800, 3600, 7200, 4 * 3600, 8 * 3600, 16 * 3600))
TOO_OLD = timedelta(days=7)  # after a long outage, old e-mails are not sent any more
AT_ONCE = 5  # e-mails that one worker sends at the same time
TRY_SECONDS = 40  # below the lease, so that no other worker tries the same e-mail
POLL_EVERY = 1.0  # seconds: to find e-mails of other workers, and retries
# After a commit of this worker: the response is sent before any work here depends on who has an account.
PAUSE = 0.1
STOP_SECONDS = 5  # at shutdown, for e-mails being sent; then their lease expires


class UnknownKindError(Exception):
    pass


async def follow(composers: Mapping[str, Composer]) -> None:
    """Send queued e-mails for ever. Without a mail server in production: returns, e-mails stay queued."""
    if not transport.is_set_up():
        return
    with outbox.wakeup() as woken:
        while True:
            woken.clear()
            while await _finished(_round(composers)):
                pass
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_EVERY):
                    await woken.wait()
                    await asyncio.sleep(PAUSE)


async def send_due(composers: Mapping[str, Composer]) -> int:
    """Claim some due e-mails and try each once; returns how many. Errors: db.Unavailable."""
    now = await outbox.due()
    if now is None:
        return 0
    email_messages = await outbox.claim(now, AT_ONCE)
    await asyncio.gather(*(_try(email_message, composers, now) for email_message in email_messages))
    return len(email_messages)


async def _round(composers: Mapping[str, Composer]) -> int:
    try:
        return await send_due(composers)
    except db.Unavailable:
        log.warning("emails_waiting", reason="the database does not answer")
    except Exception:
        log.exception("emails_waiting")
    return 0


async def _finished(work: Coroutine[Any, Any, int]) -> int:
    """On cancellation, let running deliveries finish: the mail server may have accepted the e-mail already."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=STOP_SECONDS)
        task.cancel()
        await asyncio.wait({task}, timeout=1)
        raise


async def _try(email_message: QueuedEmail, composers: Mapping[str, Composer], now: datetime) -> None:
    message, kept = None, {}
    try:
        async with asyncio.timeout(TRY_SECONDS):
            if now - email_message.created_at > TOO_OLD:
                raise transport.Undeliverable(f"older than {TOO_OLD.days} days")
            if email_message.kind not in composers:  # a newer version may have a composer: tried again
                raise UnknownKindError(f"there is no template for {email_message.kind!r}")
            message = await composers[email_message.kind](email_message)
            if message is not None:
                kept = _kept(message)
                await _send(message, email_message, now)
        how = {"sent_at": now, "failed_at": None} if message else {"dropped_at": now}
        outcome = {**how, "next_try_at": now + outbox.RETENTION, "error": ""}
    except db.Unavailable:
        log.warning("email_delayed", email_message=str(email_message.id), reason="the database does not answer")
        return  # the outcome cannot be stored either; the lease expires
    except Exception as error:
        outcome = _after(error, email_message, message, now)
    try:
        await outbox.finish(email_message, **outcome, **kept)
    except db.Unavailable:
        log.warning("email_retried", email_message=str(email_message.id), reason="the result could not be stored")


async def _send(message: Message, email_message: QueuedEmail, now: datetime) -> None:
    mail, settings = transport.written(message, email_message.id, now), get_settings()
    if settings.mail_url:
        await transport.send(mail)
        log.info("email_sent", email_message=str(email_message.id), kind=email_message.kind)
    else:
        log.info("email_in_mailbox", kind=email_message.kind, read_it_at=f"{settings.origin}/dev/mailbox")


def _after(error: Exception, email_message: QueuedEmail, message: Message | None, now: datetime) -> dict[str, Any]:
    """The columns to store after a failed attempt. Logs the reason without the address or the text of the e-mail."""
    reason = client.clean(f"{type(error).__name__}: {error}".strip(": "), 255)
    shown = reason.replace(message.recipient, "(the recipient)") if message and message.recipient else reason
    # A traceback for our own errors, not for a mail server that is down.
    trace = None if isinstance(error, (*transport.Failed, transport.Undeliverable, UnknownKindError)) else error
    if isinstance(error, transport.Undeliverable) or email_message.attempts > len(WAITS):
        log.error(
            "email_undeliverable",
            email_message=str(email_message.id),
            kind=email_message.kind,
            reason=shown,
            exc_info=trace,
        )
        return {"failed_at": now, "next_try_at": now + outbox.FAILED_RETENTION, "error": reason}
    wait = WAITS[email_message.attempts - 1]
    seconds = int(wait.total_seconds())
    log.warning(
        "email_retried",
        email_message=str(email_message.id),
        kind=email_message.kind,
        seconds=seconds,
        reason=shown,
        exc_info=trace,
    )
    return {"next_try_at": now + wait, "error": reason}


def _kept(message: Message) -> dict[str, Any]:
    """The text for the development mailbox. In production no text is stored: its links may open an account."""
    if not get_settings().is_development:
        return {}
    return {
        "recipient": client.clean(message.recipient, 254),
        "subject": client.clean(message.subject, 255),
        "text": _storable(message.text),
        "html": _storable(message.html),
    }


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode().replace("\0", "?")
