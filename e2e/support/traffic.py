"""What a browser asked the server for: the way of a navigation, and the cookies that went with each step."""

from playwright.sync_api import BrowserContext, Page, Request


class Traffic:
    """Listens from now on: `traffic = Traffic(page)`; for all tabs `Traffic(context)`."""

    def __init__(self, source: BrowserContext | Page) -> None:
        self._heard: list[Request] = []
        source.on("request", lambda request: self._heard.append(request))

    def everything(self) -> list[Request]:
        return list(self._heard)

    def visits(self) -> list[Request]:
        """The navigations, each redirect a step of its own; pictures and style sheets left out."""
        return [request for request in self._heard if request.is_navigation_request()]

    def way(self) -> list[str]:
        """The navigations as `GET /account?q=x`, or with the host where that is not localhost."""
        return [f"{request.method} {_local(request.url)}" for request in self.visits()]

    def forget(self) -> None:
        self._heard.clear()


def sent_cookies(request: Request) -> str:
    """The Cookie header as it went out; waits until it did."""
    return request.all_headers().get("cookie", "")


def _local(url: str) -> str:
    _, _, rest = url.partition("//localhost:")
    return f"/{rest.partition('/')[2]}" if rest else url
