"""Pages for development only: the mailbox that shows every e-mail, and signing in as a demo account."""

from app.dev import demo_sign_in, pages
from app.web.features import Feature, in_development

FEATURE = Feature(
    name="dev",
    enabled=in_development,
    routes=[*pages.route_patterns, *demo_sign_in.route_patterns],
    footer={"/dev/mailbox": "Mailbox"},
)
