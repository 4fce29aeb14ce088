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
    return _page(request, "contents", chapters=chapters.chapters())


@get()
async def patterns(request: Request) -> Any:
    return _page(request, "patterns", chapter=chapters.other_page("patterns"))


@get()
async def chapter(request: Request) -> Any:
    every = chapters.chapters()
    slugs = [each.slug for each in every]
    try:
        place = slugs.index(request.path_params["chapter"])
    except ValueError:
        raise Problem(404) from None
    around = {"before": every[place - 1] if place else None, "after": every[place + 1] if every[place + 1 :] else None}
    return _page(request, "chapter", chapter=every[place], chapters=every, **around)


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
    permissions.public("/learn/patterns", patterns),
    permissions.public("/learn/source/{name:path}", source),
    permissions.public("/learn/{chapter}", chapter),
]
