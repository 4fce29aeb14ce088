"""Static files under names that change with their content, so that caches keep them for ever.

The framework's StaticFiles sends no Cache-Control and an unquoted ETag (never a 304), follows symbolic links out of the
folder and fails on `%00`. Here the folder is read once: what was not found then does not exist. Text is sent
compressed to clients that accept gzip; pages never are, because they hold secrets beside what was typed (BREACH).
Source: RFC 8246 (immutable), RFC 9110 section 8.8.3, 12.5.3 and 13.1.2; v5.0.0-13.4.* (no listings, intended types
only).
"""

import gzip
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from lilya.exceptions import HTTPException
from lilya.responses import Response
from ravyn import Include

from app.settings import ROOT, get_settings

FOLDER = ROOT / "static"
PREFIX = "/static"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
}
COMPRESSED = (".css", ".js", ".svg", ".txt", ".webmanifest")  # the others are compressed by their format
NOT_AT_ALL = re.compile(r"q\s*=\s*0(\.0*)?")
IMMUTABLE = "public, max-age=31536000, immutable"
ASK_FIRST = "no-cache"

_HASHED = re.compile(r"(.+)\.[0-9a-f]{16}(\.[a-z0-9]+)")


@dataclass(frozen=True, slots=True)
class File:
    """`state`: of the file when its content was read, see `_state`."""

    name: str
    hashed_name: str
    etag: str
    media_type: str
    content: bytes
    state: tuple[int, ...]


class Files:
    """The files of a folder, as an ASGI application. `reread`: read the folder again if the file that is asked for is
    new or changed, for development.
    """

    def __init__(self, folder: Path, *, reread: bool = False) -> None:
        self.folder = folder
        self.reread = reread
        self.found: Mapping[str, File] = _read(folder)

    def get(self, name: str) -> File | None:
        if self.reread and not self._is_current(name):
            self.found = _read(self.folder)
        return self.found.get(name)

    def url(self, name: str) -> str:
        """The address of `app.css`: /static/app.<hash>.css. Errors: LookupError for a file that is not there."""
        file = self.get(name)
        if file is None:
            raise LookupError(f"no static file {name!r}")
        return f"{PREFIX}/{file.hashed_name}"

    def _is_current(self, name: str) -> bool:
        """One look at the file: reading all of them for each address took 18 times as long as the page."""
        try:
            return name in self.found and _state(self.folder / name) == self.found[name].state
        except OSError:  # deleted
            return False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(status_code=405, headers={"Allow": "GET, HEAD"})
        requested = scope["path"].removeprefix(f"{PREFIX}/")
        hashed = _HASHED.fullmatch(requested)
        name = "".join(hashed.groups()) if hashed else requested
        file = self.get(name)
        if file is None:
            raise HTTPException(status_code=404)
        # Another worker's hash, while a new version rolls out: our content must not be kept under its name.
        kept = IMMUTABLE if requested == file.hashed_name else ASK_FIRST
        response = _response(file, kept, scope)
        await response(scope, receive, send)


_files: dict[Path, Files] = {}


def url(name: str) -> str:
    """The address of a file of `static/`, for templates."""
    return files().url(name)


def mount() -> Include:
    """The route that serves `static/`."""
    return Include(PREFIX, app=files(), redirect_slashes=False)


def files() -> Files:
    if FOLDER not in _files:
        _files[FOLDER] = Files(FOLDER, reread=get_settings().is_development)
    return _files[FOLDER]


def _read(folder: Path) -> dict[str, File]:
    found = (_file(path, folder) for path in sorted(folder.rglob("*")) if _intended(path, folder))
    return {file.name: file for file in found}


def _intended(path: Path, folder: Path) -> bool:
    steps = [step for step in (path, *path.parents) if folder in step.parents]
    return (
        path.suffix in TYPES
        and path.is_file()
        and not any(step.is_symlink() or step.name.startswith(".") for step in steps)
    )


def _state(path: Path) -> tuple[int, ...]:
    """What changes whenever the file is written, replaced or made a link."""
    status = path.lstat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _file(path: Path, folder: Path) -> File:
    state = _state(path)  # before the content: a write in between is seen the next time
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:16]
    name = path.relative_to(folder).as_posix()
    hashed_name = f"{name.removesuffix(path.suffix)}.{digest}{path.suffix}"
    return File(name, hashed_name, f'"{digest}"', TYPES[path.suffix], content, state)


def _response(file: File, kept: str, scope: Any) -> Response:
    content, etag, more = file.content, file.etag, {}
    if file.name.endswith(COMPRESSED):
        more = {"vary": "Accept-Encoding"}
        if _accepts_gzip(_header(scope, b"accept-encoding")):
            content, etag = _gzipped(content), f'{etag[:-1]}-gzip"'  # a strong tag is of one sequence of bytes
            more["content-encoding"] = "gzip"
    headers = {"cache-control": kept, "etag": etag, **more}
    known = _header(scope, b"if-none-match")
    if etag in [tag.strip().removeprefix("W/") for tag in known.split(",")] or known == "*":
        headers.pop("content-encoding", None)
        return Response(status_code=304, headers=headers)
    return Response(content, headers={**headers, "content-type": file.media_type})


def _header(scope: Any, wanted: bytes) -> str:
    return b", ".join(value for name, value in scope["headers"] if name == wanted).decode("latin-1")


def _accepts_gzip(accepted: str) -> bool:
    """Whether `Accept-Encoding` names gzip, or else everything, with a weight above zero."""
    weights: dict[str, bool] = {}
    for part in accepted.lower().split(","):
        coding, *parameters = (each.strip() for each in part.split(";"))
        weights[coding] = not any(NOT_AT_ALL.fullmatch(each) for each in parameters)
    return weights.get("gzip", weights.get("*", False))


@lru_cache(256)
def _gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)
