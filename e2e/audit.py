"""What is looked at now and then, not at every change: markup by vnu, pages by Lighthouse. `make audit` calls it.

Both come from the npm registry (Node; vnu needs Java). Starts a server of its own, signs in, and looks at the pages.
Exit codes: 0 nothing found, 1 something to mend, 2 a program is missing.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

from app.auth import cookies
from e2e.support import browser
from tests.support.people import make_user, start_session
from tests.support.server import Server, running

PAGES = (
    "/", "/login", "/dashboard", "/account", "/account/activity", "/account/second-factor", "/account/passkeys",
    "/step-up", "/step-up/passkey", "/admin/users", "/nothing",
)  # fmt: skip
LOUD = ("/login", "/dashboard")  # for Lighthouse: 15 seconds each
LEAST = {"performance": 0.9, "accessibility": 1.0, "best-practices": 0.9}


def main() -> int:
    missing = [program for program in ("npx", "java") if shutil.which(program) is None]
    if missing:
        print(f"audit: {' and '.join(missing)} missing", file=sys.stderr)
        return 2
    with running() as server, tempfile.TemporaryDirectory() as folder:
        headers = {"Cookie": signed_in(server)}
        found = markup(server, headers, Path(folder)) + lighthouse(server, headers, Path(folder))
    for line in found:
        print(line)
    print("audit: nothing found" if not found else f"audit: {len(found)} to mend")
    return 1 if found else 0


def signed_in(server: Server) -> str:
    person = server.run(lambda: make_user(role="admin"))
    pair = server.run(lambda: start_session(person))
    return f"{cookies.access_name()}={pair.access_token}; {cookies.refresh_name()}={pair.refresh_token}"


def markup(server: Server, headers: dict[str, str], folder: Path) -> list[str]:
    """Every page through the Nu Html Checker, in one call."""
    files = {}
    for page in PAGES:
        file = folder / f"{page.strip('/').replace('/', '-') or 'index'}.html"
        file.write_text(httpx.get(f"{server.url}{page}", headers=headers | {"Accept": "text/html"}).text)
        files[file.as_uri()] = page
    fetched = subprocess.run(
        ["npm", "pack", "--silent", "vnu-jar"], cwd=folder, capture_output=True, text=True, check=True
    )
    shutil.unpack_archive(folder / fetched.stdout.split()[-1], folder)
    jar = next((folder / "package").rglob("vnu.jar"))
    done = subprocess.run(
        ["java", "-jar", str(jar), "--format", "json", "--stdout", "--exit-zero-always", *(each for each in files)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [
        f"vnu {files[message['url']]}: {message['message']}"
        for message in json.loads(done.stdout)["messages"]
        if message["type"] == "error" or message.get("subType") == "warning"
    ]


def lighthouse(server: Server, headers: dict[str, str], folder: Path) -> list[str]:
    found = []
    chrome = next(path for path in map(shutil.which, browser.NAMES) if path)
    (folder / "headers.json").write_text(json.dumps(headers))
    for page in LOUD:
        done = subprocess.run(
            ["npx", "--yes", "lighthouse@13", f"{server.url}{page}", "--quiet", "--output=json",
             f"--extra-headers={folder / 'headers.json'}", "--only-categories=" + ",".join(LEAST),
             "--chrome-flags=--headless=new --no-sandbox"],
            env={**os.environ, "CHROME_PATH": chrome}, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            found.append(f"lighthouse {page}: {done.stderr.strip()[-300:]}")
            continue
        scores = {name: each["score"] for name, each in json.loads(done.stdout)["categories"].items()}
        found += [f"lighthouse {page}: {name} {scores[name]}" for name, least in LEAST.items() if scores[name] < least]
    return found


if __name__ == "__main__":
    sys.exit(main())
