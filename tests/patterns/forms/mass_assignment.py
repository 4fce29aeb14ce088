"""Fails: an unknown field: 201, no error"""

from pydantic import BaseModel
from ravyn import post
from stage import play, site


# shown
class Credentials(BaseModel):
    email: str
    password: str


@post("/auth/login")
async def login(data: Credentials) -> dict:
    return {"token_type": "bearer"}


# /shown


async def main() -> None:
    async with site(login) as client:
        body = {"email": "robin@example.org", "password": "hers", "role": "admin"}
        answer = await client.post("/auth/login", json=body)
        print(f"an unknown field: {answer.status_code}", "no error", sep=", ")


play(main)
