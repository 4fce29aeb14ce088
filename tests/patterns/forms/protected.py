"""Fails: the whole user: contains the password hash"""

from ravyn import get
from stage import User, play, site


# shown: the page's handler, and one that returns the whole user
@get("/protected")
async def two_fields() -> dict:
    user = await User.query.get(username="robin")
    return {"user_id": user.id, "email": user.email}


@get("/me")
async def whole_user() -> dict:
    user = await User.query.get(username="robin")
    return user.model_dump()


# /shown


async def main() -> None:
    async with site(two_fields, whole_user) as client:
        print("two fields:", (await client.get("/protected")).text)
        answer = (await client.get("/me")).json()
        print("the whole user:", "contains the password hash" if answer.get("password") else "no password")


play(main)
