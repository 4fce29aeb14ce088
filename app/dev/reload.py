"""Under `make dev` the browser loads its page again: after a change of a template or a static file, and of Python code.

An event stream says that files have changed. When it opens for the second time, the server was started anew.
`app.cli.reload` does that. In production, and under `make run`, none of it is there.
"""

import os
from collections.abc import AsyncIterator
from typing import Any

from lilya.responses import Response, StreamingResponse
from ravyn import get

from app.auth import permissions
from app.settings import Settings
from app.web import urls
from app.web.errors import Problem
from app.web.features import Feature
from app.web.static_files import FOLDER
from app.web.templates import TEMPLATES

MOST = 16  # open streams: each one takes one of the 40 threads of the pool
PUSH = ":\n\n"  # a comment: the framework keeps each piece of a stream until there is another one
SCRIPT = """\
const changes = new EventSource("/dev/reload");
let opened = false;
changes.addEventListener("open", () => {
  if (opened) location.reload();
  opened = true;
});
changes.addEventListener("message", () => location.reload());
"""


_open: set[object] = set()


@get()
async def changes() -> Any:
    if len(_open) >= MOST:
        raise Problem(503, "Too many pages wait for changes.", headers={"Retry-After": "5"})
    return StreamingResponse(_events(), media_type="text/event-stream", headers={"cache-control": "no-store"})


@get()
async def script() -> Any:
    return Response(SCRIPT, media_type="text/javascript", headers={"cache-control": "no-store"})


async def _events() -> AsyncIterator[str]:
    from watchfiles import awatch  # not in production's memory

    stream = object()
    _open.add(stream)
    try:
        yield "retry: 200\n\n"
        yield PUSH
        async for _ in awatch(TEMPLATES, FOLDER, debounce=100, step=20):
            yield "data: changed\n\n"
            yield PUSH
    finally:
        _open.discard(stream)


def under_make_dev(settings: Settings) -> bool:
    """`app.cli.reload` sets the variable for its servers."""
    return settings.is_development and os.environ.get("APP_RELOAD") == "on"


urls.no_page("/dev/reload")
FEATURE = Feature(
    name="reload",
    enabled=under_make_dev,
    routes=[
        permissions.developer("/dev/reload", changes),
        permissions.developer("/dev/reload.js", script),
    ],
)
