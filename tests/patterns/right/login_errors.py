"""Prints: wrong password: 1 password hash computed; unknown address: 1 password hash computed"""

from typing import Any

from pydantic import BaseModel
from ravyn import HTTPException, post
from ravyn.contrib.auth import hashers
from stage import User, play, site

computed = 0


class Credentials(BaseModel):
    email: str
    password: str


async def check_password(password: str, stored: str) -> bool:
    global computed
    computed += 1
    return bool(await hashers.check_password(password, stored))


# shown: an address without an account costs a hash, too
NOBODY = hashers.make_password("the password of no account")


@post("/auth/login", status_code=200)
async def login(data: Credentials) -> Any:
    user = await User.query.get_or_none(email=data.email)
    right = await check_password(data.password, user.password if user else NOBODY)
    if not user or not right:
        raise HTTPException(status_code=401, detail="Invalid credentials")
    return {"token_type": "bearer"}


# /shown


async def main() -> None:
    global computed
    async with site(login) as client:
        for what, email in {"wrong password": "robin@example.org", "unknown address": "nobody@example.org"}.items():
            computed = 0
            await client.post("/auth/login", json={"email": email, "password": "a wrong one"})
            print(f"{what}: {computed} password hash{'' if computed == 1 else 'es'} computed")


play(main)
