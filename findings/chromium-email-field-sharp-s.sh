#!/usr/bin/env bash
# Chromium sends an address at another domain than its own URLs lead to.
#
# Seen 2026-11-30: Chromium 156.0.8078.108, and 2026-12-01 156.0.8078.114 (Debian), driven by playwright 1.65.2.
# <input type="email"> turns the domain of "a@faß.de" into "fass.de" before the form is sent: the old mapping of IDNA 2003.
# The same browser's URL parser follows IDNA 2008 (UTS #46, nontransitional) and makes "xn--fa-hia.de" of "https://faß.de":
# another domain, which somebody else can own. "ü" goes the same way in both. A server sees only "fass.de" and cannot know
# what was typed, so an e-mail may go to another person. An input of type "text" sends what was typed.
# Exits 0 while that holds, 1 when it has changed, 2 where it cannot be tried. CHROMIUM=/path for another browser.
set -euo pipefail
chromium=${CHROMIUM:-$(command -v chromium || true)}
[ -n "$chromium" ] || { echo "no chromium on PATH" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check playwright==1.65.2
CHROMIUM=$chromium "$folder/venv/bin/python" - <<'PYTHON'
import os
import sys

from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])
    page = browser.new_page()
    seen = {}
    for kind in ("email", "text"):
        page.set_content(f'<form><input name="a" type="{kind}"></form>')
        page.type("input", "a@fa\u00df.de")
        seen[kind] = page.evaluate("new FormData(document.forms[0]).get('a')")
    seen["url"] = page.evaluate("new URL('https://fa\u00df.de').hostname")
    page.set_content('<form><input name="a" type="email"></form>')
    page.type("input", "a@b\u00fccher.de")
    seen["umlaut"] = page.evaluate("new FormData(document.forms[0]).get('a')")
    print(browser.version, seen)
    browser.close()
expected = {"email": "a@fass.de", "text": "a@fa\u00df.de", "url": "xn--fa-hia.de", "umlaut": "a@xn--bcher-kva.de"}
sys.exit(0 if seen == expected else 1)
PYTHON
