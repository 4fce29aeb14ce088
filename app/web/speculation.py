"""Pages that a browser loads before anybody asks for them (prefetch, prerender) are refused.

Such a request brings the cookies, and only the header Sec-Purpose tells it from a visit. Answered, it would renew the
session, use up a notice, or show a private page after its session has ended: Chromium keeps what it has loaded ahead,
`no-store` or not. 503 it does not keep, and asks again when the page is visited; after 204 it keeps nothing to show and
does not ask either, so the link does nothing (seen in Chromium 150 and 156).
Chapter: "The way of a request". Source: W3C Speculation Rules; Fetch section 4.11 (Sec-Purpose).
"""

from typing import Any

from lilya.responses import Response

ROUTE = "loaded ahead"  # in the log and the metrics: these refusals are no server errors


class RefuseAhead:
    """`but`: the prefix of paths that anybody may load ahead, which serve files."""

    def __init__(self, app: Any, *, but: str) -> None:
        self.app = app
        self.but = but

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and _is_ahead(scope) and not scope["path"].startswith(self.but):
            scope["route_path_template"] = ROUTE
            # Nothing is rendered: nobody sees it, and an error page would use up the notice that waits for a visit.
            await Response(status_code=503, headers={"Vary": "Sec-Purpose"})(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _is_ahead(scope: Any) -> bool:
    """Sec-Purpose is a list with parameters, such as `prefetch;prerender`. The header may occur twice."""
    sent = [value for name, value in scope["headers"] if name == b"sec-purpose"]
    return any(b"prefetch" in value.lower() for value in sent)
