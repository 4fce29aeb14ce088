"""E-mail through the HTTPS API of a provider, where the host blocks the ports of SMTP.

MAIL_URL=postmark+https://TOKEN@api.postmarkapp.com or resend+https://KEY@api.resend.com. To add a provider, write a
`Provider` and name it in `setting_checks.MAIL_APIS`. The key is only ever in a header, goes to no other address
(redirects are not followed) and is removed from what the provider answers.
Source: https://postmarkapp.com/developer/api/overview; https://resend.com/docs/api-reference/errors.
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from app.settings import get_settings

STEP_SECONDS = 10  # to connect, to send, and for each piece of the answer
LONGEST_REASON = 200
FINAL_AT_POSTMARK = (300, 406)  # the request for this recipient is invalid; the recipient bounced or complained before


class ApiError(Exception):
    """A retry may help: the provider does not answer, is busy, or does not take the key or the sender."""


class RejectedError(Exception):
    """The provider will never take this e-mail."""


@dataclass(frozen=True, slots=True)
class Provider:
    """`body`, `headers` and `is_final` are what the providers differ in.

    `headers`: from the key and the e-mail's id ("" for a check). `is_final`: from status and answer, whether a retry is
    useless. `check`: a path to read with the key; `restricted`: an answer there that proves the key as well.
    """

    path: str
    headers: Callable[[str, str], dict[str, str]]
    body: Callable[[EmailMessage], dict[str, Any]]
    is_final: Callable[[int, Mapping[str, Any]], bool]
    check: str
    restricted: str = ""


def _postmark(mail: EmailMessage) -> dict[str, Any]:
    headers = [{"Name": "Auto-Submitted", "Value": "auto-generated"}]
    shown = {"From": str(mail["From"]), "To": str(mail["To"]), "Subject": str(mail["Subject"]), "Headers": headers}
    return shown | {"TextBody": _part(mail, "plain"), "HtmlBody": _part(mail, "html"), "MessageStream": "outbound"}


def _resend(mail: EmailMessage) -> dict[str, Any]:
    shown = {"from": str(mail["From"]), "to": [str(mail["To"])], "subject": str(mail["Subject"])}
    headers = {"Auto-Submitted": "auto-generated"}
    return shown | {"text": _part(mail, "plain"), "html": _part(mail, "html"), "headers": headers}


PROVIDERS = {
    "postmark": Provider(
        path="/email",
        headers=lambda key, _: {"X-Postmark-Server-Token": key},
        body=_postmark,
        is_final=lambda status, said: status == 422 and said.get("ErrorCode") in FINAL_AT_POSTMARK,
        check="/server",
    ),
    "resend": Provider(
        path="/emails",
        # An e-mail that is sent once more, because a worker died, arrives once.
        headers=lambda key, email_id: {"Authorization": f"Bearer {key}", "Idempotency-Key": email_id or "check"},
        body=_resend,
        is_final=lambda status, said: status == 422 and said.get("name") == "validation_error",
        check="/domains",
        restricted="restricted_api_key",  # a key that may only send is the one to use
    ),
}


async def send(mail: EmailMessage) -> None:
    """Hand the e-mail over. Errors: ApiError if a retry may help, RejectedError if not."""
    provider, key = _configured()
    email_id = str(mail["Message-ID"]).strip("<>").partition("@")[0]
    answer = await _ask("POST", provider.path, provider.headers(key, email_id), provider.body(mail))
    if answer.status_code == HTTPStatus.OK:
        return
    said = _json(answer)
    error = RejectedError if provider.is_final(answer.status_code, said) else ApiError
    raise error(_reason(answer, said))


async def greet() -> str:
    """Check address and key; nothing is sent. Returns the host. Errors: ApiError."""
    provider, key = _configured()
    answer = await _ask("GET", provider.check, provider.headers(key, ""), None)
    said = _json(answer)
    if answer.status_code != HTTPStatus.OK and not (provider.restricted and said.get("name") == provider.restricted):
        raise ApiError(_reason(answer, said))
    return urlsplit(get_settings().mail_url).hostname or ""


def _configured() -> tuple[Provider, str]:
    url = urlsplit(get_settings().mail_url)
    return PROVIDERS[url.scheme.removesuffix("+https")], unquote(url.username or "")


async def _ask(method: str, path: str, headers: dict[str, str], body: dict[str, Any] | None) -> httpx.Response:
    url = urlsplit(get_settings().mail_url)
    address = f"https://{url.netloc.rpartition('@')[2]}{path}"
    try:
        async with httpx.AsyncClient(verify=_tls(), timeout=STEP_SECONDS, follow_redirects=False) as client:
            return await client.request(method, address, headers=headers | {"Accept": "application/json"}, json=body)
    except httpx.HTTPError as error:
        reason = _without_key(str(error))  # of a header that cannot be sent it is the whole value
        raise ApiError(f"{url.hostname} does not answer: {type(error).__name__}: {reason}") from None


def _json(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _reason(answer: httpx.Response, said: Mapping[str, Any]) -> str:
    words = str(said.get("Message") or said.get("message") or "")
    code = said.get("ErrorCode", said.get("name", ""))
    reason = " ".join(str(each) for each in (answer.status_code, code, words) if each != "")
    return _without_key(reason)[:LONGEST_REASON]


def _without_key(text: str) -> str:
    """Before it is cut: half a key would be found by nobody."""
    return text.replace(_configured()[1], "***")


def _part(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    return str(part.get_content()).replace("\r\n", "\n") if part else ""


@cache
def _tls() -> ssl.SSLContext:
    """The system's authorities, as for SMTP; httpx would bring its own."""
    return ssl.create_default_context()
