"""The pages under /learn: who can read them, and which files are never shown."""

from typing import Any

import pytest

from app.learn import chapters, sources
from app.main import route_table
from app.settings import Settings, get_settings
from tests.support.visitor import Visitor

pytestmark = pytest.mark.anyio


async def test_contents_link_to_every_chapter_the_pattern_index_and_the_lab(client: Visitor) -> None:
    page = await client.visit("/learn")

    assert page.status_code == 200
    for address in (*chapters.REFERENCE, "lab", "build", *(chapter.slug for chapter in chapters.chapters())):
        assert f'href="/learn/{address}"' in page.text


async def test_every_chapter_is_served_with_links_to_its_neighbours(client: Visitor) -> None:
    every = chapters.chapters()

    for place, chapter in enumerate(every):
        page = await client.visit(f"/learn/{chapter.slug}")
        assert page.status_code == 200
        assert f"<h1>{chapter.title.replace(chr(39), '&#39;')}</h1>" in page.text
        assert (f'rel="prev" href="/learn/{every[place - 1].slug}"' in page.text) is (place > 0)
        assert ('rel="next"' in page.text) is (place < len(every) - 1)


async def test_course_is_served_with_a_page_for_each_step(client: Visitor) -> None:
    steps = chapters.steps()
    first = await client.visit("/learn/build")

    assert first.status_code == 200
    for place, step in enumerate(steps):
        assert f'href="/learn/build/{step.slug}"' in first.text
        page = await client.visit(f"/learn/build/{step.slug}")
        assert page.status_code == 200
        assert f"Step {step.number} of {len(steps)}" in page.text
        assert ('rel="prev"' in page.text) is (place > 0)
        assert ('rel="next"' in page.text) is (place < len(steps) - 1)
    assert (await client.visit("/learn/build/nowhere")).status_code == 404


@pytest.mark.parametrize(
    ("slug", "row"), [("patterns", "token-create"), ("glossary", "refresh-token"), ("problems", "invalid-grant")]
)
async def test_reference_page_is_served_with_an_anchor_for_each_row(client: Visitor, slug: str, row: str) -> None:
    page = await client.visit(f"/learn/{slug}")

    assert page.status_code == 200
    assert f'<tr id="{row}">' in page.text


async def test_every_chapter_links_to_the_reference_pages(client: Visitor) -> None:
    for chapter in chapters.chapters():
        page = await client.visit(f"/learn/{chapter.slug}")
        for name in chapters.REFERENCE:
            assert f'href="/learn/{name}"' in page.text, chapter.slug


async def test_source_is_shown_with_its_lines(client: Visitor) -> None:
    line = sources.symbol("app/auth/sessions/rotation_policy.py", "decide")[1]

    page = await client.visit("/learn/source/app/auth/sessions/rotation_policy.py")

    assert page.status_code == 200
    assert f'id="L{line}"' in page.text


@pytest.mark.parametrize(
    "name",
    [
        ".env", "var/lanyard.db", "app", "app/", "app/auth", "nothing.py", "/etc/passwd", "app/../.env",
        "app/%2e%2e/.env", "..%2f..%2fetc%2fpasswd", "app/learn/transcripts.json", ".git/config", "",
    ],
)  # fmt: skip
async def test_only_listed_files_are_shown(client: Visitor, name: str) -> None:
    assert (await client.visit(f"/learn/source/{name}")).status_code == 404


@pytest.mark.parametrize("chapter", ["nowhere", "01-what-a-jwt-is", "what-is-a-token/", "%2e%2e"])
async def test_unknown_chapter_is_404(client: Visitor, chapter: str) -> None:
    assert (await client.visit(f"/learn/{chapter}")).status_code in (404, 303)


@pytest.mark.parametrize(
    ("env", "setting", "shown"),
    [
        ("development", None, True),
        ("development", False, False),
        ("production", None, False),
        ("production", True, True),
    ],
)
def test_tutorial_is_disabled_in_production_by_default(env: Any, setting: bool | None, shown: bool) -> None:
    values = {"secret_key": get_settings().secret_key, "public_origin": "https://app.example.org", "env": env}
    values["argon2_memory_kib"] = 19456

    assert Settings(_env_file=None, learn=setting, **values).shows_learn is shown


async def test_disabled_tutorial_is_404_everywhere(client: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_settings(), "learn", False)
    routes = [row["path"] for row in route_table() if row["path"].startswith("/learn") and "/lab" not in row["path"]]

    for path in routes:
        address = path.replace("{chapter}", "keys").replace("{name:path}", "app/main.py").replace("{step}", "refresh")
        address = address.replace("{pattern}", "token-create")
        assert (await client.visit(address)).status_code == 404, address
    assert len(routes) == 7
