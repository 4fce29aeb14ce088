#!/usr/bin/env bash
# After 204 to a prefetch or a prerender, a click on the link does nothing in Chromium: the server is not asked again.
#
# Seen 2026-11-30 in Chromium 150.0.7871.100 and 2026-12-01 in 156.0.8078.114 (Debian 12), headless, driven by playwright 1.65.2.
# A page has speculation rules for a link. The server answers the request that brings Sec-Purpose with 204, "nothing to
# load ahead here", `no-store` and `Vary: Sec-Purpose`, and answers every visit with 200. Chromium takes the 204 for the
# answer to the click: the page stays as it is, and no request is sent. With 503 it asks again and shows the page. So a
# server that wants no page loaded ahead has to answer with an error.
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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from playwright.sync_api import sync_playwright

asked = []
RULES = """([kind, url]) => {
  const script = document.createElement("script");
  script.type = "speculationrules";
  script.textContent = JSON.stringify({ [kind]: [{ source: "list", urls: [url], eagerness: "immediate" }] });
  document.head.append(script);
}"""


class Site(BaseHTTPRequestHandler):
    def do_GET(self):
        ahead = self.headers.get("Sec-Purpose")
        asked.append((self.path, ahead))
        status = int(self.path[1:]) if ahead else 200
        body = b"" if status == 204 else f"<h1>{self.path}</h1><a href=/204>204</a> <a href=/503>503</a>".encode()
        self.send_response(status)
        headers = {"Content-Type": "text/html", "Cache-Control": "no-store", "Vary": "Sec-Purpose"}
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
Thread(target=server.serve_forever, daemon=True).start()
found = {}
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"])
    for kind in ("prefetch", "prerender"):
        for status in ("204", "503"):
            page = browser.new_context().new_page()
            page.goto(f"http://localhost:{server.server_port}/start")
            asked.clear()
            page.evaluate(RULES, [kind, f"/{status}"])
            page.wait_for_timeout(2000)
            if not any(ahead for _, ahead in asked):
                print(f"{kind}: this browser loads nothing ahead", file=sys.stderr)
                sys.exit(2)
            page.get_by_role("link", name=status).click()
            page.wait_for_timeout(1000)
            visits = sum(ahead is None for path, ahead in asked if path == f"/{status}")
            found[kind, status] = page.get_by_role("heading").inner_text()
            print(f"{kind} answered {status}: the click shows {found[kind, status]}, visits: {visits}")
    browser.close()
dead = all(shown == ("/start" if status == "204" else "/503") for (_, status), shown in found.items())
sys.exit(0 if dead else 1)
PYTHON
