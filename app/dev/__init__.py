"""Pages for development alone: the mailbox that shows each e-mail written."""

from app.dev import pages
from app.web.features import Feature, in_development

FEATURE = Feature(
    name="dev",
    enabled=in_development,
    routes=pages.route_patterns,
    footer={"/dev/mailbox": "Mailbox"},
)
