"""Where the framework runs a permission: the reason for part of app/web/framework_patches.py.

A test that fails says that a release has mended it: then `framework_patches._call` may go.
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
