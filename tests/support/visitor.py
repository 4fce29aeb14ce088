"""An HTTP client that sends what a browser sends, and keeps the cookies it is given."""

from typing import Any

import httpx

from tests.support.environment import ORIGIN

COOKIE_DOMAIN = "testserver.local"  # what http.cookiejar makes of a host without a dot
NAVIGATION = {"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


class Visitor(httpx.AsyncClient):
    """One browser in front of the application, in this process. Redirects are not followed unless asked."""

    def __init__(self, app: Any, **options: Any) -> None:
        transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 50000))
        super().__init__(transport=transport, base_url=ORIGIN, **options)

    async def visit(self, path: str, *, site: str = "none", **options: Any) -> httpx.Response:
        """GET as the address bar does it. `site`: Sec-Fetch-Site; a link of ours is `same-origin`."""
        headers = NAVIGATION | {"Sec-Fetch-Site": site} | options.pop("headers", {})
        return await self.get(path, headers=headers, **options)

    async def submit(self, path: str, fields: dict[str, str] | None = None, **options: Any) -> httpx.Response:
        """POST a form of one of our own pages."""
        headers = NAVIGATION | {"Sec-Fetch-Site": "same-origin", "Origin": ORIGIN} | options.pop("headers", {})
        return await self.post(path, data=fields or {}, headers=headers, **options)

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request of a script on one of our own pages, such as fetch() to the API: cookies travel along."""
        headers = {"Accept": "application/json", "Sec-Fetch-Site": "same-origin"} | options.pop("headers", {})
        return await self.request(method, path, headers=headers, **options)

    def cookie(self, name: str) -> str | None:
        return self.cookies.get(name, domain=COOKIE_DOMAIN)

    def put_cookie(self, name: str, value: str) -> None:
        self.cookies.set(name, value, domain=COOKIE_DOMAIN)

    def drop_cookie(self, name: str) -> None:
        """As a browser does when Max-Age is over."""
        self.cookies.delete(name, domain=COOKIE_DOMAIN)
