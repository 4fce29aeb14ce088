"""Fails: right password, as printed: 500; 'User' object has no attribute 'verify_password';
right password, mended: 201; a word for a password: 400, and the answer repeats it"""

from pydantic import BaseModel
from ravyn import HTTPException, post
from stage import PASSWORD, User, play, site


# shown: the page's handler, then with the two methods that exist
class Credentials(BaseModel):
    email: str
    password: str


@post("/auth/login")
async def as_printed(data: Credentials) -> dict:
    user = await User.get(email=data.email)
    if not user or not user.verify_password(data.password):
        raise HTTPException(status_code=401, detail="Invalid credentials")
    return {"token_type": "bearer"}


@post("/auth/login-mended")
async def mended(data: Credentials) -> dict:
    user = await User.query.get_or_none(email=data.email)
    if not user or not await user.check_password(data.password):
        raise HTTPException(status_code=401, detail="Invalid credentials")
    return {"token_type": "bearer"}


# /shown


async def main() -> None:
    async with site(as_printed, mended) as client:
        body = {"email": "robin@example.org", "password": PASSWORD}
        answer = await client.post("/auth/login", json=body)
        print("right password, as printed:", answer.status_code, answer.json()["detail"])
        try:
            await (await User.query.get(id=1)).verify_password(PASSWORD)
        except AttributeError as error:
            print("and then:", error)
        print("right password, mended:", (await client.post("/auth/login-mended", json=body)).status_code)
        answer = await client.post("/auth/login-mended", json={"password": "hunter2"})
        print("a word for a password:", answer.status_code, end=", ")
        print("and the answer repeats it" if "hunter2" in answer.text else "not repeated")


play(main)
