"""What the framework does for every request: the reason for part of app/web/framework_patches.py.

A test that fails says that a release has mended it: then `framework_patches._call` or `_get_response_data` may go.
"""

import os
import subprocess
import sys

import pytest

from tests.support.environment import ROOT

pytestmark = pytest.mark.upstream

PROGRAM = """if True:
    import asyncio, sys, threading
    from ravyn.permissions import BasePermission
    from ravyn.permissions.utils import wrap_permission
    if "mended" in sys.argv:
        from app.web import framework_patches
        framework_patches.install()

    class Guard(BasePermission):
        def __init__(self):
            self.made_in = threading.current_thread()

        async def has_permission(self, request, controller):
            return True

    made = asyncio.run(wrap_permission(Guard)())
    print("main thread" if made.made_in is threading.main_thread() else "worker thread")
"""


@pytest.mark.parametrize(("as_what", "thread"), [("stock", "worker thread"), ("mended", "main thread")])
def test_permission_class_is_made_in_a_worker_thread_for_each_request(as_what: str, thread: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, as_what], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == thread


TAKES_REQUEST = """if True:
    import asyncio, sys
    from ravyn import Gateway, Ravyn, Request, get
    from ravyn.core.transformers.model import TransformerModel
    if "mended" in sys.argv:
        from app.web import framework_patches
        framework_patches.install()

    @get()
    async def handler(request: Request) -> str:
        return "answered"

    stock, seen = TransformerModel.to_kwargs, []

    async def to_kwargs(self, **given):
        seen.append("took the request apart")
        return await stock(self, **given)

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        if b"answered" in message.get("body", b""):
            seen.append("answered")

    TransformerModel.to_kwargs = to_kwargs
    app = Ravyn(routes=[Gateway("/", handler=handler)], enable_openapi=False)
    scope = {
        "type": "http", "method": "GET", "path": "/", "raw_path": b"/", "query_string": b"", "root_path": "",
        "headers": [(b"host", b"localhost")], "scheme": "http", "server": ("localhost", 80), "http_version": "1.1",
    }
    asyncio.run(app(scope, receive, send))
    print(seen[0])
"""


@pytest.mark.parametrize(("as_what", "seen"), [("stock", "took the request apart"), ("mended", "answered")])
def test_request_is_taken_apart_for_a_handler_that_takes_it_whole(as_what: str, seen: str) -> None:
    command = [sys.executable, "-c", TAKES_REQUEST, as_what]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == seen
