"""Well-known addresses: change-password and security.txt.

Source: W3C "A Well-Known URL for Changing Passwords"; RFC 9116.
"""

from datetime import timedelta
from typing import Any

from lilya.responses import PlainText
from ravyn import get

from app import db
from app.auth import permissions
from app.auth.redirects import see_other
from app.settings import get_settings

GOOD_FOR = timedelta(days=90)  # RFC 9116 section 2.5.5: less than a year


@get()
async def change_password() -> Any:
    return see_other("/account/password")


@get()
async def security_txt() -> Any:
    """security.txt, with an expiry date that moves on: the contact is valid as long as the site runs."""
    settings = get_settings()
    expires = (db.utcnow() + GOOD_FOR).replace(hour=0, minute=0, second=0, microsecond=0)
    lines = (
        f"Contact: {settings.reported_to}",
        f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
        "Preferred-Languages: en",
        f"Canonical: {settings.origin}/.well-known/security.txt",
    )
    return PlainText("\n".join(lines) + "\n")


route_patterns = [
    permissions.no_authentication("/.well-known/change-password", change_password),
    permissions.no_authentication("/.well-known/security.txt", security_txt),
]
