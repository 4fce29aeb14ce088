"""Prints: right password: 200; no e-mail address: 422; the response repeats the password: False"""

from typing import Any

from lilya.responses import JSONResponse
from pydantic import BaseModel
from ravyn import HTTPException, Request, post
from ravyn.exceptions import ValidationErrorException
from stage import PASSWORD, User, play, site


# shown
class Credentials(BaseModel):
    email: str
    password: str


@post("/auth/login", status_code=200)
async def login(data: Credentials) -> dict:
    user = await User.query.get_or_none(email=data.email)
    if not user or not await user.check_password(data.password):
        raise HTTPException(status_code=401, detail="Invalid credentials")
    return {"token_type": "bearer"}


async def invalid(request: Request, error: Exception) -> Any:
    return JSONResponse({"detail": "The body is not valid"}, status_code=422)  # and nothing that was sent


# /shown


async def main() -> None:
    async with site(login, exception_handlers={ValidationErrorException: invalid, ValueError: invalid}) as client:
        body = {"email": "robin@example.org", "password": PASSWORD}
        print("right password:", (await client.post("/auth/login", json=body)).status_code)
        answer = await client.post("/auth/login", json={"password": "hunter2"})
        print("no e-mail address:", answer.status_code)
        print("the response repeats the password:", "hunter2" in answer.text)


play(main)
