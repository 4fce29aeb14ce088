"""Fails: a form on another site, sent as text/plain: 201"""

from pydantic import BaseModel
from ravyn import post
from stage import play, site


class Credentials(BaseModel):
    email: str
    password: str


@post("/auth/login")
async def login(data: Credentials) -> dict:
    return {"token_type": "bearer"}


async def main() -> None:
    async with site(login) as client:
        # shown: <form method="post" enctype="text/plain"> on evil.example; the field's name is half of the JSON
        body = b'{"email": "mallory@example.org", "password": "hers", "x": "="}'
        headers = {"Content-Type": "text/plain", "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        answer = await client.post("/auth/login", content=body, headers=headers)
        print("a form on another site, sent as text/plain:", answer.status_code)
        # /shown


play(main)
