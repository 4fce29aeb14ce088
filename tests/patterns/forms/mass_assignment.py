"""Fails: a field more than the form has: 201, without a word"""

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
        print(f"a field more than the form has: {answer.status_code}", "without a word", sep=", ")


play(main)
