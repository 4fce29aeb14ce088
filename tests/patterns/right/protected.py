"""Prints: {"user_id":1,"email":"robin@example.org"}"""

from pydantic import BaseModel
from ravyn import get
from stage import User, play, site


# shown: name what leaves the server; the return annotation alone filters nothing
class Me(BaseModel):
    user_id: int
    email: str


@get("/me")
async def me() -> Me:
    user = await User.query.get(username="robin")
    return Me(user_id=user.id, email=user.email)


# /shown


async def main() -> None:
    async with site(me) as client:
        print((await client.get("/me")).text)


play(main)
