"""What the kernel's letters say, and to whom."""

from app.mail.message import Composer

COMPOSERS: dict[str, Composer] = {}
