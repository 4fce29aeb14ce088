"""Headers that a client sends who holds a pair of tokens."""

from app.auth import cookies
from app.auth.tokens import TokenPair


def bearer(pair: TokenPair) -> dict[str, str]:
    return {"Authorization": f"Bearer {pair.access_token}"}


def browser(pair: TokenPair, *names: str) -> dict[str, str]:
    """A visit from one of our own pages, with both cookies, or those named."""
    jar = {cookies.access_name(): pair.access_token, cookies.refresh_name(): pair.refresh_token}
    sent = "; ".join(f"{name}={value}" for name, value in jar.items() if name in (names or jar))
    navigation = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    return {"Accept": "text/html", "Cookie": sent, **navigation}
