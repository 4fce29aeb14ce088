#!/usr/bin/env bash
# Chromium 150 registers and refreshes a device-bound session with neither Origin nor Sec-Fetch-Site.
#
# Seen 2026-11-30: Chromium 150.0.7871.100 (Debian 12), driven by playwright 1.65.2, with the flags
# DeviceBoundSessions and EnableBoundSessionCredentialsSoftwareKeysForManualTesting (keys in software).
# A page answers with Secure-Session-Registration; the browser posts its key to the path named there, and later asks for a
# refresh. Both are POST with cookies, SameSite=Strict ones as well, and without Origin and Sec-Fetch-Site, although Fetch
# wants an Origin on every POST (section 3.2). A server that refuses a POST with cookies and without both headers, as
# protection against CSRF by Fetch Metadata does, refuses the registration, and the browser says nothing. A newer
# Chromium (156) sends both headers.
# Exits 0 while that holds, 1 when it has changed, 2 where it cannot be tried. CHROMIUM=/path for another browser.
set -euo pipefail
chromium=${CHROMIUM:-$(command -v chromium || true)}
[ -n "$chromium" ] || { echo "no chromium on PATH" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check playwright==1.65.2 trustme==1.2.1
CHROMIUM=$chromium "$folder/venv/bin/python" - <<'PYTHON'
import base64
import hashlib
import json
import os
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import sync_playwright

seen = {}
COOKIE = "__Host-bound=1; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=600"
SESSION = {
    "session_identifier": "s1",
    "refresh_url": "/refresh",
    "scope": {"include_site": False, "scope_specification": []},
    "credentials": [
        {"type": "cookie", "name": "__Host-bound", "attributes": "Path=/; Secure; HttpOnly; SameSite=Strict"}
    ],
}


class Site(BaseHTTPRequestHandler):
    def do_GET(self):
        offer = [("Secure-Session-Registration", '(ES256);path="/register";challenge="c1"')]
        self.answer(200, b"<p>hello", [("Content-Type", "text/html"), ("Set-Cookie", COOKIE)] + offer)

    def do_POST(self):
        names = {name.lower() for name in self.headers}
        seen[self.path] = sorted(names & {"origin", "sec-fetch-site", "cookie", "secure-session-response"})
        if self.path == "/refresh" and "secure-session-response" not in names:
            return self.answer(403, b"", [("Secure-Session-Challenge", '"c2";id="s1"')])
        self.answer(200, json.dumps(SESSION).encode(), [("Content-Type", "application/json"), ("Set-Cookie", COOKIE)])

    def answer(self, status, body, headers):
        self.send_response(status)
        for name, value in [*headers, ("Content-Length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


certificate = trustme.CA().issue_cert("localhost")
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
certificate.configure_cert(context)
server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
server.socket = context.wrap_socket(server.socket, server_side=True)
Thread(target=server.serve_forever, daemon=True).start()
public = x509.load_pem_x509_certificate(certificate.cert_chain_pems[0].bytes()).public_key()
der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
flags = [
    "--no-sandbox",
    "--enable-features=DeviceBoundSessions,EnableBoundSessionCredentialsSoftwareKeysForManualTesting",
    "--ignore-certificate-errors-spki-list=" + base64.b64encode(hashlib.sha256(der).digest()).decode(),
]
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=os.environ["CHROMIUM"], args=flags)
    context = browser.new_context()
    page = context.new_page()
    address = f"https://localhost:{server.server_port}/"
    page.goto(address)
    page.wait_for_timeout(2000)
    context.clear_cookies(name="__Host-bound")
    page.goto(address)
    print(browser.version, seen)
    browser.close()
expected = {"/register": ["cookie", "secure-session-response"], "/refresh": ["secure-session-response"]}
if "/register" not in seen:
    sys.exit(2)
sys.exit(0 if seen == expected else 1)
PYTHON
