"""A Chromium for the tests: found, else installed, else the tests fail and say what to do. A skip would read as green.

`python -m e2e.support.browser` does that alone and prints which one it is.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Error, Playwright, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1, EXCLUDE ::1",
    "--disable-quic",
]
HELP = """No browser for the tests. Any one of these helps:
  1. python -m playwright install chromium
  2. install Chromium or Chrome with the system's package manager (Debian: apt-get install chromium)
  3. E2E_BROWSER=/path/to/chrome make test"""


class NoBrowserError(RuntimeError):
    pass


def launch(playwright: Playwright) -> Browser:
    """A running browser. Order: E2E_BROWSER, Playwright's own, one on PATH; then the same after an installation.

    Errors: NoBrowserError with the ways to get one.
    """
    if named := os.environ.get("E2E_BROWSER"):
        try:
            return _start(playwright, named)
        except Error as error:
            raise NoBrowserError(f"E2E_BROWSER={named} does not start.\n{HELP}") from error
    found = _first(playwright)
    for command in _installers():
        if found:
            break
        _say("no browser yet: " + " ".join(command[-1]))
        found = _first(playwright) if all(_run(step) for step in command) else None
    if not found:
        raise NoBrowserError(HELP)
    return found


def _first(playwright: Playwright) -> Browser | None:
    """Playwright's own is tried by starting it: the path it reports is not the one it uses."""
    for path in (None, *filter(None, map(shutil.which, NAMES))):
        try:
            return _start(playwright, path)
        except Error:
            continue
    return None


def without_cookies(browser: Browser, folder: Path, **options: Any) -> BrowserContext:
    """Another browser of the same kind, whose owner has blocked all cookies. Its profile is in `folder`."""
    settings = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    (folder / "Default").mkdir(parents=True)
    (folder / "Default" / "Preferences").write_text(json.dumps(settings))
    return browser.browser_type.launch_persistent_context(folder, **_options(_full_chromium()), **options)


def that_binds_sessions(browser: Browser, key: str) -> Browser:
    """Another browser of the same kind, with Device Bound Session Credentials; it keeps the keys in software.

    `key`: of the certificate to trust, as `Proxy.key`. A browser that is told to ignore every certificate error binds
    nothing, and neither does Playwright's headless shell: the full Chromium is needed.
    """
    return browser.browser_type.launch(**_binding(key))


def that_knows(browser: Browser, hosts: dict[str, int], *keys: str) -> Browser:
    """Another browser of the same kind, for which these https hosts are at ports of this machine. `keys`: to trust."""
    rules = ",".join(f"MAP {host}:443 127.0.0.1:{port}" for host, port in hosts.items())
    more = [f"--host-resolver-rules={rules}", f"--ignore-certificate-errors-spki-list={','.join(keys)}"]
    options = _options(_full_chromium()) | {"args": [*ARGUMENTS[1:], *more]}
    return browser.browser_type.launch(**options)


def profile_that_binds_sessions(browser: Browser, key: str, folder: Path, **options: Any) -> BrowserContext:
    """As `that_binds_sessions`, with a profile that outlives the browser."""
    return browser.browser_type.launch_persistent_context(folder, **_binding(key), **options)


def _binding(key: str) -> dict[str, Any]:
    options = _options(_full_chromium())
    features = "DeviceBoundSessions,EnableBoundSessionCredentialsSoftwareKeysForManualTesting"
    more = [f"--enable-features={features}", f"--ignore-certificate-errors-spki-list={key}"]
    return options | {"args": [*ARGUMENTS, *more]} | ({} if options["executable_path"] else {"channel": "chromium"})


def _full_chromium() -> str | None:
    """The path of one that is installed; None for Playwright's own."""
    return next((path for path in (os.environ.get("E2E_BROWSER"), *map(shutil.which, NAMES)) if path), None)


def _start(playwright: Playwright, path: str | None) -> Browser:
    return playwright.chromium.launch(**_options(path))


def _options(path: str | None) -> dict[str, Any]:
    return {
        "headless": not os.environ.get("HEADED"),
        "args": ARGUMENTS,
        "chromium_sandbox": hasattr(os, "geteuid") and os.geteuid() != 0,  # as root there is no sandbox
        # Playwright switches the back/forward cache off, and "back after logout" would then test nothing.
        "ignore_default_args": ["--disable-back-forward-cache"],
        "executable_path": path,
    }


def _installers() -> list[list[list[str]]]:
    commands = [[[sys.executable, "-m", "playwright", "install", "chromium"]]]
    if shutil.which("apt-get") and os.geteuid() == 0:
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"]
        commands.append([["apt-get", "update", "-qq"], install])
    return commands


def _run(command: list[str]) -> bool:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=600)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    with sync_playwright() as playwright:
        try:
            browser = launch(playwright)
        except NoBrowserError as error:
            sys.exit(str(error))
        print(f"Chromium {browser.version}")
        browser.close()
