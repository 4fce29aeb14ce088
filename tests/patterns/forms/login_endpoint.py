"""Fails: right password, as printed: 500; 'User' object has no attribute 'verify_password';
right password, corrected: 201; no e-mail address: 400, and the response repeats the password"""

from pydantic import BaseModel
from ravyn import HTTPException, post
from stage import PASSWORD, User, play, site


# shown: the page's handler, then with the methods that exist
class Credentials(BaseModel):
    email: str
    password: str


@post("/auth/login")
async def as_printed(data: Credentials) -> dict:
    user = await User.get(email=data.email)
    if not user or not user.verify_password(data.password):
        raise HTTPException(status_code=401, detail="Invalid credentials")
    return {"token_type": "bearer"}


@post("/auth/login-corrected")
async def corrected(data: Credentials) -> dict:
    user = await User.query.get_or_none(email=data.email)
    if not user or not await user.check_password(data.password):
        raise HTTPException(status_code=401, detail="Invalid credentials")
    return {"token_type": "bearer"}


# /shown


async def main() -> None:
    async with site(as_printed, corrected) as client:
        body = {"email": "robin@example.org", "password": PASSWORD}
        answer = await client.post("/auth/login", json=body)
        print("right password, as printed:", answer.status_code, answer.json()["detail"])
        try:
            await (await User.query.get(id=1)).verify_password(PASSWORD)
        except AttributeError as error:
            print("the next error:", error)
        print("right password, corrected:", (await client.post("/auth/login-corrected", json=body)).status_code)
        answer = await client.post("/auth/login-corrected", json={"password": "hunter2"})
        print("no e-mail address:", answer.status_code, end=", ")
        print("and the response repeats the password" if "hunter2" in answer.text else "not repeated")


play(main)
