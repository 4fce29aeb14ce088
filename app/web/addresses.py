"""E-mail addresses as forms and bodies take them: what a mail can be sent to, and nothing that leads elsewhere.

Source: v5.0.0-1.3.11, v5.0.0-2.2.1; RFC 5321 section 4.5.3.1; OWASP Input Validation, "Email Address Validation".
"""

from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator

from app.settings import get_settings

LONGEST = 254  # RFC 5321: what fits between the angle brackets of a MAIL command


def address(text: str) -> str:
    """The address as it is kept, without outer space and with its domain in one spelling. Asks no name server.

    Refused too: quoted local parts, addresses of machines instead of domains, hosts without a dot, and any character
    before the @ that is not ASCII: one that folds to a letter (the Kelvin sign to "k") would be the key of somebody
    else's address and the mailbox of a stranger (CVE-2019-19844).
    Errors: ValueError with the message for the field.
    """
    text = text.strip()
    if len(text) > LONGEST:
        raise ValueError(f"Use at most {LONGEST} characters.")
    development = get_settings().is_development
    try:  # "name@anything.test" never arrives anywhere, which is what it is good for
        found = validate_email(
            text, check_deliverability=False, allow_smtputf8=False, strict=True, test_environment=development
        )
    except EmailNotValidError:  # its message repeats what was typed
        found = None
    if found is None or "." not in found.domain:
        raise ValueError("Give an address such as name@example.com.")
    return found.normalized


Address = Annotated[str, AfterValidator(address)]
