"""Forwarded headers from a peer that is not trusted are ignored, counted, and warned of once a minute."""

import json
import re
import socket
from typing import Any

import pytest

from app.observability import metrics
from app.server.forwarded import WARN_EVERY, IgnoredHeaders
from tests.support.server import Server, running

TOKEN = "m7Kq!xZ2rT9vYb4NpLc8WdHs5GfJ3uEa"
FORGED = "203.0.113.7"


def get(server: Server, path: str, *lines: str) -> str:
    head = "\r\n".join([f"GET {path} HTTP/1.1", f"Host: localhost:{server.port}", "Connection: close", *lines])
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(f"{head}\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def warnings(server: Server) -> list[str]:
    return [line for line in server.log().splitlines() if "forwarded_ignored" in line]


def counted(server: Server) -> float:
    shown = get(server, "/metrics", f"Authorization: Bearer {TOKEN}")
    found = re.search(r"^lanyard_forwarded_ignored_total ([\d.]+)", shown, re.MULTILINE)
    assert found, shown
    return float(found[1])


@pytest.mark.parametrize("arguments", [[], ["--forwarded-allow-ips", "192.0.2.1,10.0.0.0/8"]])
def test_server_warns_once_of_a_proxy_that_it_was_not_told_of(arguments: list[str]) -> None:
    with running(arguments=arguments, APP_METRICS_TOKEN=TOKEN) as server:
        get(server, "/healthz")
        assert warnings(server) == []
        for header in ("X-Forwarded-For", "x-forwarded-proto", "Forwarded"):
            assert "ok" in get(server, "/healthz", f"{header}: {FORGED}")
        assert counted(server) == 3
        server.logged("forwarded_ignored")
        (warned,) = warnings(server)

    assert "peer=127.0.0.1" in warned
    assert "headers=x-forwarded-for" in warned
    assert "--forwarded-allow-ips" in warned
    assert FORGED not in server.log()


def test_proxy_that_is_trusted_is_nothing_to_warn_of() -> None:
    with running(arguments=["--forwarded-allow-ips", "127.0.0.1"], APP_METRICS_TOKEN=TOKEN) as server:
        get(server, "/healthz", f"X-Forwarded-For: {FORGED}", "X-Forwarded-Proto: https")
        assert counted(server) == 0

    assert warnings(server) == []


def test_next_warning_comes_after_a_minute_and_every_request_is_counted(logged: list[dict[str, Any]]) -> None:
    ignored, before = IgnoredHeaders("10.0.0.0/8"), metrics.FORWARDED_IGNORED._value.get()
    forged = [(b"host", b"localhost"), (b"forwarded", b"for=x"), (b"x-forwarded-for", b"x")]

    for now in (1000.0, 1001.0, 1000.0 + WARN_EVERY - 0.1, 1000.0 + WARN_EVERY):
        ignored.look("192.0.2.9", forged, now)
    ignored.look("10.1.2.3", forged, 5000.0)
    ignored.look("192.0.2.9", forged[:1], 5000.0)

    assert [line["event"] for line in logged] == ["forwarded_ignored"] * 2
    assert {line["headers"] for line in logged} == {"forwarded x-forwarded-for"}
    assert metrics.FORWARDED_IGNORED._value.get() == before + 4


def test_warning_is_json_in_production() -> None:
    settings = {"APP_ENV": "production", "PUBLIC_ORIGIN": "http://localhost", "APP_ARGON2_MEMORY_KIB": "19456"}
    with running(**settings) as server:
        get(server, "/healthz", f"X-Forwarded-For: {FORGED}")

    (line,) = [json.loads(line) for line in warnings(server)]
    assert (line["level"], line["event"], line["peer"]) == ("warning", "forwarded_ignored", "127.0.0.1")
