"""Redirects after a form, a sign-out, or a request that cannot be served now; never to another site.

Chapter: "The way of a request". Source: RFC 9110 section 15.4; the Clear Site Data specification.
"""

from typing import Any
from urllib.parse import urlencode, urlsplit

from lilya.responses import RedirectResponse

from app import db
from app.auth import cookies
from app.settings import get_settings
from app.web import notices, urls

CLEAR = {"Clear-Site-Data": '"cache", "storage"'}
PASSKEY_OFFER = "/account/passkeys/offer"
LONGEST_REFERER = 2048  # characters


def signed_out(notice: str) -> Any:
    """Redirect to the login page; the browser deletes both token cookies, its cache and its storage."""
    response = see_other("/login", notice=notice)
    response.headers.update(CLEAR)
    return cookies.delete_tokens(response)


def signed_in(login: Any, to: str, device: str, method: str) -> Any:
    """Redirect to `to` after a sign-in, with the cookies of the session and of the browser.

    `login`: a `login_flow.Login`. `method`: one of `cookies.METHODS`. An offer of a passkey comes before `to`; its
    challenge is in the fragment, which the browser sends nowhere.
    """
    if login.deletion_cancelled:
        response = see_other("/dashboard", notice="deletion_cancelled")
    elif login.passkey_offer:
        offer = f"{PASSKEY_OFFER}?{urlencode({'next': to})}#{login.passkey_offer}"
        response = RedirectResponse(offer, status_code=303)
    else:
        response = see_other(to)
    cookies.set_device(cookies.set_tokens(response, login.pair), device, db.utcnow())
    return cookies.set_method(response, method)


def see_other(path: str, **query: str) -> Any:
    """303: the browser requests `path` with GET. `notice`: the message that page shows (see `web.notices`)."""
    response = RedirectResponse(f"{path}?{urlencode(query)}" if query else path, status_code=303)
    return notices.leave(response, query["notice"]) if "notice" in query else response


def same_method(path: str, **query: str) -> Any:
    """307: the browser sends method and body again."""
    return RedirectResponse(f"{path}?{urlencode(query)}", status_code=307)


def form_not_saved(request: Any) -> Any:
    """Redirect to the login page, then back to the page of the form. Never 307: it would send the form to /login."""
    return see_other("/login", next=referring_page(request), notice="form_not_saved")


def referring_page(request: Any) -> str:
    """The page of this site that the Referer header names, otherwise the dashboard."""
    sent = request.headers.get("referer", "")
    # Browsers send ASCII only; `urlsplit` would normalise a host that is not ASCII.
    referer = urlsplit(sent if sent.isascii() and len(sent) <= LONGEST_REFERER else "")
    if f"{referer.scheme}://{referer.netloc}" != get_settings().origin:
        return urls.local_path(None)
    return urls.local_path(f"{referer.path}?{referer.query}" if referer.query else referer.path)
