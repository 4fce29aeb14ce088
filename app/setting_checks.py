"""The rules about settings: secrets, lifetimes, algorithms, addresses. Pure functions, and a type for each.

Each function returns the value, or raises ValueError with a text that follows the name of the variable ("must be ...")
and never contains the value. `others`: the settings above this one that are valid, in `others.data`; an error of
another setting is reported there.
Chapter: "Configuration that refuses to be weak".
"""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, ValidationInfo

from app import database_tls, database_urls, hosts, weak_secrets

ALGORITHMS = ("HS256", "EdDSA")
MAIL_APIS = {"postmark": "api.postmarkapp.com", "resend": "api.resend.com"}  # see `email.https_api`
ARGON2_MEMORY_KIB = 19456  # OWASP Password Storage: argon2id, 19 MiB, two iterations, one lane
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


def access_token_seconds(seconds: int, others: ValidationInfo) -> int:
    if positive(seconds) >= others.data.get("refresh_token_seconds", seconds + 1):
        raise ValueError("must be below APP_REFRESH_TOKEN_SECONDS")
    return seconds


def password_min_length(length: int, others: ValidationInfo) -> int:
    if length > others.data.get("password_max_length", length):
        raise ValueError("must not be above APP_PASSWORD_MAX_LENGTH")
    return length


def request_memory(size: int, others: ValidationInfo) -> int:
    if size < 2 * others.data.get("body_limit_bytes", 0):
        raise ValueError("must be at least twice APP_BODY_LIMIT_BYTES")
    return size


def argon2_memory(memory: int, others: ValidationInfo) -> int:
    if memory < ARGON2_MEMORY_KIB and not _in_development(others):
        raise ValueError(f"must be at least {ARGON2_MEMORY_KIB}")
    return memory


def public_origin(written: str, others: ValidationInfo) -> str:
    """As browsers write it. Without TLS they would discard the cookies without a word, in development too."""
    origin = hosts.origin(written) if written else ""
    if not (origin or _in_development(others)):
        raise ValueError("is not set: use the address of the site, such as https://app.example.com")
    if others.data.get("device_bound") == "admins" and not origin.startswith("https:"):
        raise ValueError("must be https: with APP_DEVICE_BOUND=admins nobody could open the admin area")
    host, port = others.data.get("host"), others.data.get("port")
    if not (origin or (host and port)) or others.data.get("cookie_insecure", True):
        return origin
    parts = urlsplit(origin or hosts.own_origin(str(host), int(port or 0)))
    if parts.scheme == "http" and not hosts.is_loopback(hosts.requested(parts.netloc)):
        known = "" if origin else "is not set, and without it HOST "
        raise ValueError(f"{known}is plain http: use https, or set COOKIE_INSECURE=true if you accept the risk")
    return origin


def passkey_site(host: str) -> str:
    """The host that passkeys are made for (WebAuthn's relying party id), "" for that of PUBLIC_ORIGIN."""
    if host and (hosts.name(host) != host or host.startswith("[") or host.replace(".", "").isdigit()):
        raise ValueError("must be a host name alone, in lower case, such as app.example.com")
    return host


def related_origins(written: str) -> str:
    """Origins, separated by commas, as browsers write them. Browsers read the list over https alone."""
    found = [hosts.origin(each.strip()) for each in written.split(",")] if written else []
    if plain := [each for each in found if not each.startswith("https:")]:
        raise ValueError(f"must be https: {plain[0]}")
    return ",".join(dict.fromkeys(found))


def database_url(url: str, others: ValidationInfo) -> str:
    database_tls.ssl_argument(database_urls.parsed(url))
    return _without_default_password(url, others)


def mail_url_or_its_old_name(url: str, others: ValidationInfo) -> str:
    """MAIL_URL, or SMTP_URL, which was its name before 0.3."""
    before = others.data.get("smtp_url", "")
    if before and url not in ("", before):
        raise ValueError("and SMTP_URL, its older name, differ: keep MAIL_URL")
    url = mail_url(url or before)
    return url if is_mail_api(url) else _without_default_password(url, others)


def _without_default_password(url: str, others: ValidationInfo) -> str:
    if not _in_development(others) and weak_secrets.has_default_password(url):
        raise ValueError("contains a well-known password: change it there, then here")
    return url


def _in_development(others: ValidationInfo) -> bool:
    return others.data.get("env") == "development"


Secret = Annotated[str, AfterValidator(strong_secret)]
OptionalSecret = Annotated[str, AfterValidator(strong_secret_or_none)]
Secrets = Annotated[str, AfterValidator(strong_secrets)]
Algorithm = Annotated[str, AfterValidator(jwt_algorithm)]
Seconds = Annotated[int, AfterValidator(positive)]
Contact = Annotated[str, AfterValidator(security_contact)]
Mailbox = Annotated[str, AfterValidator(mailbox)]
Renamed = Annotated[str, AfterValidator(renamed)]
AccessTokenSeconds = Annotated[int, AfterValidator(access_token_seconds)]
MinLength = Annotated[int, AfterValidator(password_min_length)]
RequestMemory = Annotated[int, AfterValidator(request_memory)]
Argon2Memory = Annotated[int, AfterValidator(argon2_memory)]
PasskeySite = Annotated[str, AfterValidator(passkey_site)]
RelatedOrigins = Annotated[str, AfterValidator(related_origins)]
PublicOrigin = Annotated[str, AfterValidator(public_origin)]
DatabaseUrl = Annotated[str, AfterValidator(database_url)]
MailUrl = Annotated[str, AfterValidator(mail_url_or_its_old_name)]
