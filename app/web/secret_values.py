"""The values of the secret settings, to take them out of texts that may repeat one: a driver's words, a traceback."""

from functools import cache
from urllib.parse import quote, unquote, urlsplit

from app.database_urls import parsed
from app.settings import get_settings

HIDDEN = "***"


def hidden(text: str, *others: str) -> str:
    """The text without any of those values, and without `others`."""
    for secret in (*_secrets(), *sorted(filter(None, others), key=len, reverse=True)):
        text = text.replace(secret, HIDDEN)
    return text


@cache
def _secrets() -> tuple[str, ...]:
    """Longest first."""
    settings = get_settings()
    found = {*settings.secret_keys, settings.metrics_token}
    mail = urlsplit(settings.mail_url)
    mail_secret = (mail.username if mail.scheme.endswith("+https") else mail.password) or ""
    for secret in (parsed(settings.database_url).password, unquote(mail_secret)):
        found |= {secret, quote(secret, safe="")}
    return tuple(sorted(filter(None, found), key=len, reverse=True))
