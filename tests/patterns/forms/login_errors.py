"""Fails: the response for an unknown address takes less than a tenth of the time"""

import time

from pydantic import BaseModel
from ravyn import HTTPException, post
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
    async with site(login) as client:

        async def fastest(email: str) -> float:
            times = []
            for _ in range(5):
                began = time.perf_counter()
                await client.post("/auth/login", json={"email": email, "password": "a wrong one"})
                times.append(time.perf_counter() - began)
            return min(times)

        known, unknown = await fastest("robin@example.org"), await fastest("nobody@example.org")
        if unknown < known / 10:
            print("the response for an unknown address takes less than a tenth of the time")
        else:
            print("both take about the same time")


play(main)
