"""The front page, the dashboard and the accessibility statement."""

from app.home import accessibility, pages
from app.web.features import Feature, Link, signed_in

FEATURE = Feature(
    name="home",
    routes=[*pages.route_patterns, *accessibility.route_patterns],
    navigation=[Link("/dashboard", "Dashboard", signed_in)],
)
