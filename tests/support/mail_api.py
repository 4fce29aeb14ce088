"""The HTTPS API of a mail provider on the loopback interface: real TLS, and it keeps what it is asked."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class MailApi:
    """`answer`: status, JSON and headers of every answer. `asked`: method, path, headers (lower case) and JSON."""

    port: int = 0
    answer: tuple[int, Any, dict[str, str]] = (200, {"ErrorCode": 0, "id": "1"}, {})
    asked: list[tuple[str, str, dict[str, str], Any]] = field(default_factory=list)

    def url(self, provider: str, key: str) -> str:
        return f"{provider}+https://{key}@127.0.0.1:{self.port}"


@contextmanager
def listening(context: ssl.SSLContext) -> Iterator[MailApi]:
    """`context`: with the server's certificate."""
    api = MailApi()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            api.asked.append((self.command, self.path, headers, json.loads(sent) if sent else None))
            status, body, more = api.answer
            text = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(text)), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that does not trust us hangs up
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        api.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()
