"""Headers that a client sends who holds a pair of tokens, and the cookies that come back."""

import httpx

from app.auth import cookies
from app.auth.tokens import TokenPair
from app.web import notices


def bearer(pair: TokenPair) -> dict[str, str]:
    return {"Authorization": f"Bearer {pair.access_token}"}


def browser(pair: TokenPair, *names: str) -> dict[str, str]:
    """A visit from one of our own pages, with both cookies, or those named."""
    jar = {cookies.access_name(): pair.access_token, cookies.refresh_name(): pair.refresh_token}
    sent = "; ".join(f"{name}={value}" for name, value in jar.items() if name in (names or jar))
    navigation = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    return {"Accept": "text/html", "Cookie": sent, **navigation}


def cookies_set(answer: httpx.Response) -> list[str]:
    """The names of the cookies that an answer sets or expires; what the next page says in words is none of them."""
    names = [line.partition("=")[0] for line in answer.headers.get_list("set-cookie")]
    return [name for name in names if name != notices.cookie_name()]
