"""Fails: redirected to http://evil.example/dashboard"""

from typing import Any

from ravyn import get
from stage import play, site


# shown
@get("/dashboard")
async def dashboard() -> Any:
    return "hello"


async def main() -> None:
    async with site(dashboard) as client:
        answer = await client.get("/dashboard/", headers={"Host": "evil.example"})
        print("redirected to", answer.headers["location"])
        # /shown


play(main)
