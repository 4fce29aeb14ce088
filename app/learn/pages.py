"""The tutorial's pages: the contents at /learn, the chapters, the course, the pattern index, and source files.

All of them are public where the tutorial is enabled (`APP_LEARN`; by default in development only), and 404 otherwise.
"""

from typing import Any

from ravyn import Request, get

from app.auth import permissions
from app.learn import chapters, pattern_pages, search, sources
from app.learn.chapters import Chapter
from app.settings import get_settings
from app.web import templates
from app.web.errors import Problem

CHAPTERS = {"word": "Chapter", "address": "/learn"}
STEPS = {"word": "Step", "address": "/learn/build"}


@get()
async def contents(request: Request) -> Any:
    steps, reference = chapters.steps(), chapters.reference()
    return _page(request, "contents", chapters=chapters.chapters(), steps=steps, reference=reference)


@get()
async def chapter(request: Request) -> Any:
    """A chapter with links to its neighbours, or a reference page."""
    every, reference = chapters.chapters(), chapters.reference()
    slug = request.path_params["chapter"]
    found = next((page for page in [*every, *reference] if page.slug == slug), None)
    if found is None:
        raise Problem(404)
    if not found.number:
        return _page(request, "reference", chapter=found, reference=reference)
    return _in_series(request, CHAPTERS, found, every, reference=reference)


@get()
async def course(request: Request) -> Any:
    return _page(request, "course", chapter=chapters.course(), steps=chapters.steps())


@get()
async def step(request: Request) -> Any:
    """A step of the course, with links to its neighbours."""
    every = chapters.steps()
    found = next((page for page in every if page.slug == request.path_params["step"]), None)
    if found is None:
        raise Problem(404)
    return _in_series(request, STEPS, found, every, reference=[])


@get()
async def find(request: Request) -> Any:
    """Sections of chapters, steps and reference with every word of `q`."""
    query = request.query_params.get("q", "")[: search.LONGEST]
    return _page(request, "search", query=query, results=search.find(query))


@get()
async def pattern(request: Request) -> Any:
    """A pattern of the framework's page, with links to its neighbours."""
    name, every = request.path_params["pattern"], list(pattern_pages.pages())
    if name not in every:
        raise Problem(404)
    at = every.index(name)
    return _page(
        request, "pattern", page=pattern_pages.pages()[name], number=at + 1, count=len(every),
        before=every[at - 1] if at else "", after="".join(every[at + 1 : at + 2]),
    )  # fmt: skip


@get()
async def source(request: Request) -> Any:
    name = request.path_params["name"]
    try:
        text = sources.text(name)
    except LookupError:
        raise Problem(404) from None
    return _page(request, "source", file=name, lines=sources.highlight(text, name=name).splitlines())


def _in_series(request: Request, series: Any, found: Chapter, every: list[Chapter], **context: Any) -> Any:
    before, after = every[: found.number - 1][-1:], every[found.number :][:1]
    return _page(
        request, "chapter", series=series, chapter=found, chapters=every, before=before, after=after, **context
    )


def _page(request: Request, template: str, **context: Any) -> Any:
    if not get_settings().shows_learn:
        raise Problem(404)
    return templates.page(request, f"learn/{template}.html", **context)


route_patterns = [
    permissions.public("/learn", contents),
    permissions.public("/learn/source/{name:path}", source),
    permissions.public("/learn/build", course),
    permissions.public("/learn/build/{step}", step),
    permissions.public("/learn/search", find),
    permissions.public("/learn/patterns/{pattern}", pattern),
    permissions.public("/learn/{chapter}", chapter),
]
