"""`make dev`: the development server, started anew whenever Python code or `.env` changes.

    python -m app.cli.reload

On Linux this process imports the packages that the application uses, and nothing of the application. Each server is a
fork of it, which has only the application left to import: that is most of a start saved. Elsewhere each server is a new
process. Templates and static files need no start; the browser is told about them by `app.dev.reload`.
"""

import ast
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ROOT / "app"
FORKS = sys.platform == "linux"
# In a process of its own: its threads must not be there when this one forks. An editor puts a new file in the place of
# .env, so its folder is watched.
WATCH = """
import sys, threading
from pathlib import Path
from watchfiles import PythonFilter, watch
code, env = map(Path, sys.argv[1:])
fast = {"debounce": 100, "step": 20, "raise_interrupt": False}
def watch_settings():
    for _ in watch(env.parent, watch_filter=lambda _, path: Path(path) == env, recursive=False, **fast):
        print(env.name, flush=True)
threading.Thread(target=watch_settings, daemon=True).start()
for _ in watch(code, watch_filter=PythonFilter(), **fast):
    print("Python code", flush=True)
"""


def main() -> int:
    os.environ |= {"APP_ENV": "development", "APP_RELOAD": "on"}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if FORKS:
        _import(_packages(CODE))
    settings = Path(os.environ.get("APP_ENV_FILE", ROOT / ".env")).resolve()
    command = [sys.executable, "-c", WATCH, str(CODE), str(settings)]
    watcher = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
    server = start()
    try:
        assert watcher.stdout
        for changed in watcher.stdout:
            print(f"{changed.strip()} has changed: starting again", flush=True)
            stop(server)
            server = start()
    except KeyboardInterrupt:
        pass
    finally:
        watcher.terminate()
        stop(server, signal.SIGTERM)
    return 0


def start() -> int:
    """Start a server. Returns the process id."""
    if not FORKS:
        return subprocess.Popen([sys.executable, "-m", "app", "serve"], cwd=ROOT).pid
    if server := os.fork():
        return server
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for name in [name for name in sys.modules if name == "app" or name.startswith("app.")]:
        del sys.modules[name]
    sys.argv = ["app", "serve"]
    code: object = 1
    try:
        runpy.run_module("app", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
    sys.stdout.flush()
    os._exit(code if isinstance(code, int) else 1)


def stop(server: int, how: int = signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL) -> None:
    """End a server at once: an open event stream would hold it up. Committed data is safe."""
    with suppress(ProcessLookupError, PermissionError):
        os.kill(server, how)
    with suppress(ChildProcessError, InterruptedError):
        os.waitpid(server, 0)


def _packages(folder: Path) -> set[str]:
    """The modules of other packages that the code in the folder imports anywhere."""
    trees = (ast.parse(path.read_bytes()) for path in sorted(folder.rglob("*.py")) if "migrations" not in path.parts)
    return {
        name for tree in trees for node in ast.walk(tree) for name in _imported(node) if name.split(".")[0] != "app"
    }


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module


def _import(names: set[str]) -> None:
    for name in sorted(names):
        with suppress(ImportError):  # one that is not installed here is imported by a command that is not run
            import_module(name)


if __name__ == "__main__":
    sys.exit(main())
