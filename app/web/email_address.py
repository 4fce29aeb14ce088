"""E-mail addresses: which texts are one, which are the same one, and how one is shown.

A domain has two spellings, "bücher.example" and "xn--bcher-kva.example": people type the first, browsers send the
second from an e-mail field. Looking up, uniqueness, rate limits and search all go by `email_key`.
Source: v5.0.0-1.3.11, v5.0.0-2.2.1; RFC 5321 sections 4.1.2 and 4.5.3.1; RFC 5890 section 2.3.2.4; UTS 46; OWASP Input
Validation, "Email Address Validation".
"""

import re
from typing import Annotated

import idna
from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator

from app.settings import get_settings

LONGEST = 254  # RFC 5321: what fits between the angle brackets of a MAIL command
LONGEST_LOCAL = 64
NO_ADDRESS = "Enter an address such as name@example.com."

_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


def email_key(text: str) -> str:
    """What an address is looked up by: ASCII, in lower case, its domain as name servers know it.

    Dots and plus signs count: they are the owner's choice. "" for what is no address; no account has that key. Before
    the @ only ASCII is allowed: a character that folds to another one (the Kelvin sign to "k") would make the key of
    another user's address (CVE-2019-19844).
    """
    local, _, domain = text.strip().rpartition("@")
    if len(local) > LONGEST_LOCAL or len(domain) > LONGEST or not local.isascii():  # before anything is normalised
        return ""
    key = f"{local.lower()}@{_on_the_wire(domain)}"
    fits = len(key) <= LONGEST and _LOCAL.fullmatch(key, 0, len(local)) and _DOMAIN.fullmatch(key, len(local) + 1)
    return key if fits else ""


def without_tag(key: str) -> str:
    """The key of the mailbox: "joan+lists@example.com" arrives where "joan@example.com" does (RFC 5233).

    For limits alone. Where a mail server gives the plus another meaning, two people share a limit; nothing else.
    """
    local, at, domain = key.rpartition("@")
    return (local[:1] + local[1:].partition("+")[0]) + at + domain


def address(text: str) -> str:
    """The address as it is kept and shown: as it was typed, its domain in Unicode. Asks no name server.

    Refused are quoted local parts, addresses of machines instead of domains, hosts without a dot and domains where no
    mail arrives. Errors: ValueError with the message for the field.
    """
    text = text.strip()
    if len(text) > LONGEST:
        raise ValueError(f"Use at most {LONGEST} characters.")
    typed, domain = text.rpartition("@")[0], email_key(text).rpartition("@")[2]
    if "." not in domain:
        raise ValueError(NO_ADDRESS)
    development = get_settings().is_development
    try:  # "name@anything.test" never arrives anywhere, which is what it is good for
        return validate_email(
            f"{typed}@{domain}", check_deliverability=False, strict=True, test_environment=development
        ).normalized
    except EmailNotValidError:  # its message repeats what was typed
        raise ValueError(NO_ADDRESS) from None


def readable(email: str) -> str:
    """The address with its domain in Unicode; unchanged if that is ASCII."""
    local, _, domain = email.rpartition("@")
    if len(domain) > LONGEST or "xn--" not in domain.lower():
        return email
    try:
        return f"{local}@{idna.decode(domain)}"
    except UnicodeError:
        return email


def _on_the_wire(domain: str) -> str:
    """The domain in A-labels, or "". Browsers map the same way (UTS 46, not transitional)."""
    if domain.isascii() and "--" not in domain:
        return domain.lower()
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except UnicodeError:
        return ""


Address = Annotated[str, AfterValidator(address)]
