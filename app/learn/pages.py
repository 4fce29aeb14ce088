"""The tutorial's pages: the contents at /learn, the chapters, the pattern index, and source files.

All of them are public where the tutorial is enabled (`APP_LEARN`; by default in development only), and 404 otherwise.
"""

from typing import Any

from ravyn import Request, get

from app.auth import permissions
from app.learn import chapters, sources
from app.settings import get_settings
from app.web import templates
from app.web.errors import Problem


@get()
async def contents(request: Request) -> Any:
    return _page(request, "contents", chapters=chapters.chapters(), reference=chapters.reference())


@get()
async def chapter(request: Request) -> Any:
    """A chapter with links to its neighbours, or a reference page."""
    every, reference = chapters.chapters(), chapters.reference()
    slug = request.path_params["chapter"]
    found = next((page for page in [*every, *reference] if page.slug == slug), None)
    if found is None:
        raise Problem(404)
    if not found.number:
        return _page(request, "reference", chapter=found)
    before, after = every[: found.number - 1][-1:], every[found.number :][:1]
    return _page(request, "chapter", chapter=found, chapters=every, reference=reference, before=before, after=after)


@get()
async def source(request: Request) -> Any:
    name = request.path_params["name"]
    try:
        text = sources.text(name)
    except LookupError:
        raise Problem(404) from None
    return _page(request, "source", file=name, lines=sources.highlight(text, name=name).splitlines())


def _page(request: Request, template: str, **context: Any) -> Any:
    if not get_settings().shows_learn:
        raise Problem(404)
    return templates.page(request, f"learn/{template}.html", **context)


route_patterns = [
    permissions.public("/learn", contents),
    permissions.public("/learn/source/{name:path}", source),
    permissions.public("/learn/{chapter}", chapter),
]
