"""Rules about a single setting: secrets, lifetimes, algorithms, addresses for mail and contact. Pure functions.

Each returns the value, or raises ValueError with a text that follows the name of the variable ("must be ...") and never
contains the value. Rules about two settings are validators of `Settings`.
Chapter: "Configuration that refuses to be weak".
"""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator

from app import database_urls, weak_secrets

ALGORITHMS = ("HS256", "EdDSA")
MAIL_APIS = {"postmark": "api.postmarkapp.com", "resend": "api.resend.com"}  # see `email.https_api`
MAILBOX = re.compile(r"(?:([^<>@,;:\"]*[^<>@,;:\" ]) *<)?([a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9.-]+)(?(1)>)")


def strong_secret(secret: str) -> str:
    if not secret:
        raise ValueError("is not set: use at least 32 random bytes (openssl rand -base64 48)")
    if weakness := weak_secrets.weakness(secret):
        raise ValueError(weakness)
    return secret


def strong_secret_or_none(secret: str) -> str:
    return strong_secret(secret) if secret else secret


def strong_secrets(secrets: str) -> str:
    """Comma-separated; none is allowed."""
    return ",".join(strong_secret(secret.strip()) for secret in secrets.split(",") if secret.strip())


def jwt_algorithm(algorithm: str) -> str:
    if algorithm not in ALGORITHMS:
        raise ValueError(f"must be one of {', '.join(ALGORITHMS)}")
    return algorithm


def positive(seconds: int) -> int:
    if seconds <= 0:
        raise ValueError("must be a number of seconds above 0")
    return seconds


def security_contact(contact: str) -> str:
    if contact and not re.fullmatch(r"(mailto:[^\s@]+@[^\s@]+|https://\S+|tel:\S+)", contact):
        raise ValueError("must begin with mailto:, https:// or tel: (RFC 9116 section 2.5.3)")
    return contact


def mailbox(sender: str) -> str:
    if sender and not (sender.isprintable() and MAILBOX.fullmatch(sender)):
        raise ValueError("must be one address, such as Lanyard <no-reply@example.com>")
    return sender


def renamed(value: str) -> str:
    if value:
        raise ValueError("has been renamed: use APP_ADDRESS_EMAILS_PER_HOUR")
    return value


def is_mail_api(url: str) -> bool:
    """Is this the HTTPS API of a provider, rather than an SMTP server?"""
    return urlsplit(url).scheme.endswith("+https")


def mail_url(url: str) -> str:
    """An SMTP server or the HTTPS API of a provider; "" is allowed."""
    try:
        parts = urlsplit(url)
        malformed = bool(parts.path not in ("", "/") or parts.query or parts.fragment or parts.port == 0)
    except ValueError:
        parts, malformed = urlsplit(""), True
    malformed = malformed or not database_urls.is_a_name(parts.hostname or "")
    if parts.scheme.endswith("+https"):
        if parts.scheme.removesuffix("+https") not in MAIL_APIS or malformed or not (parts.hostname and parts.username):
            known = " or ".join(f"{name}+https://KEY@{host}" for name, host in MAIL_APIS.items())
            raise ValueError(f"must be {known}, or an SMTP address")
        if parts.password:
            raise ValueError("needs one key before the @, with characters such as : / # in it written as %3A %2F %23")
        return url
    half = bool(parts.username) != bool(parts.password)
    if url and (parts.scheme not in ("smtp", "smtps") or not parts.hostname or malformed or half):
        raise ValueError(
            "must be smtp://user:password@host:587 (STARTTLS) or smtps://user:password@host:465, "
            "with characters such as @ : / # in the password written as %40 %3A %2F %23"
        )
    return url


Secret = Annotated[str, AfterValidator(strong_secret)]
OptionalSecret = Annotated[str, AfterValidator(strong_secret_or_none)]
Secrets = Annotated[str, AfterValidator(strong_secrets)]
Algorithm = Annotated[str, AfterValidator(jwt_algorithm)]
Seconds = Annotated[int, AfterValidator(positive)]
Contact = Annotated[str, AfterValidator(security_contact)]
Mailbox = Annotated[str, AfterValidator(mailbox)]
Renamed = Annotated[str, AfterValidator(renamed)]
