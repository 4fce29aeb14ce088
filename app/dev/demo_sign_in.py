"""Demo sign-in: one click on the login page uses a demo account, in development and on this machine alone.

It is the sign-in of the login form, with the published password: rate limits, a changed password and a second factor
count as there, and the same-origin rule stands before it as before every form.
"""

from typing import Any

from pydantic import BaseModel
from ravyn import Request, post

from app.auth import permissions
from app.auth.accounts import demo_accounts
from app.auth.pages import login
from app.web import forms, urls
from app.web.errors import Problem

PASSWORDS = {account.email: account.password for account in demo_accounts.ACCOUNTS}


class DemoForm(BaseModel):
    email: str = ""
    next: str = ""


@post(status_code=200)
async def sign_in(request: Request) -> Any:
    form = await forms.parse(request, DemoForm, bound=False)
    email = form.values["email"]
    if email not in PASSWORDS:
        raise Problem(404)
    shown = {"email": email, "next": urls.local_path(form.values["next"])}
    return await login.sign_in(request, email, PASSWORDS[email], shown)


route_patterns = [permissions.developer("/dev/sign-in", sign_in)]
