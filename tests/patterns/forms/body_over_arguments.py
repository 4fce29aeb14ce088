"""Fails: PUT /people/7 changed person 1"""

from typing import Any

from ravyn import put
from stage import play, site


# shown
@put("/people/{person_id}")
async def rename(person_id: int) -> Any:
    return f"PUT /people/7 changed person {person_id}"


async def main() -> None:
    async with site(rename) as client:
        answer = await client.put("/people/7", json={"person_id": 1})
        # /shown
        print(answer.json())


play(main)
