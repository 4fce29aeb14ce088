"""The front page and the dashboard."""

from app.home import pages
from app.web.features import Feature, Link, signed_in

FEATURE = Feature(
    name="home",
    routes=pages.route_patterns,
    navigation=[Link("/dashboard", "Dashboard", signed_in)],
)
