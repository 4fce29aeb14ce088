"""POST /api/auth/login/code: the second factor at login, for API clients.

Chapter: "The JSON API".
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from ravyn import Request, post

from app import db
from app.auth import challenges, cookies, permissions
from app.auth.api import Tokens, in_the_body
from app.mfa import second_factor
from app.web import lengths
from app.web.json_response import JSONResponse


class CodeRequest(BaseModel):
    """`ticket`: from the response of /api/auth/login. `code`: a TOTP code or a recovery code."""

    model_config = ConfigDict(extra="forbid", strict=True)

    ticket: str = Field(min_length=1, max_length=200)
    code: str = Field(min_length=1, max_length=lengths.CODE)


@post(status_code=200)
async def sign_in(request: Request, data: CodeRequest) -> Any:
    """The token pair for a ticket and a code; no cookie is set."""
    try:
        device = cookies.device(request.scope, db.utcnow())
        signed_in = await second_factor.sign_in(data.ticket, data.code, device=device)
    except second_factor.TicketExpired:
        return challenges.unauthorized(request, token_sent=False, detail="Sign in again.", error="ticket_expired")
    if signed_in is None:
        return challenges.unauthorized(request, token_sent=False, detail="Invalid code.")
    return JSONResponse(in_the_body(signed_in.pair))


route_patterns = [permissions.public("/api/auth/login/code", sign_in, answers={200: Tokens})]
