"""Fails: wrong password: 1 password hash computed; unknown address: 0 password hashes computed"""

from typing import Any

from pydantic import BaseModel
from ravyn import HTTPException, post
from ravyn.contrib.auth.edgy import base_user
from stage import User, play, site


class Credentials(BaseModel):
    email: str
    password: str


# shown: the same message for an unknown address and a wrong password
@post("/auth/login")
async def login(data: Credentials) -> dict:
    user = await User.query.get_or_none(email=data.email)
    if not user or not await user.check_password(data.password):
        raise HTTPException(status_code=401, detail="Invalid credentials")
    return {"token_type": "bearer"}


# /shown


async def main() -> None:
    check, computed = base_user.check_password, 0

    async def counted(*arguments: Any) -> bool:
        nonlocal computed
        computed += 1
        return await check(*arguments)

    base_user.check_password = counted
    async with site(login) as client:
        for what, email in {"wrong password": "robin@example.org", "unknown address": "nobody@example.org"}.items():
            computed = 0
            await client.post("/auth/login", json={"email": email, "password": "a wrong one"})
            print(f"{what}: {computed} password hash{'' if computed == 1 else 'es'} computed")


play(main)
