"""Ports of the loopback interface that stay free until they are used."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from itertools import cycle

_marks: list[socket.socket] = []  # held open until this process ends


def free_port() -> int:
    """A port that nobody takes meanwhile: neither another run of the tests nor somebody's connection.

    One that the system chooses (port 0) is among those that it gives to outgoing connections a moment later.
    """
    for port in _ports():
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("never: they go round")


@cache
def _ports() -> Iterator[int]:
    """Ports of this process alone, again and again: who holds the first one of a block has the block."""
    for first in range(20_000, 32_000, 500):  # below those of outgoing connections: 32768 on Linux, 49152 elsewhere
        mark = socket.socket()
        with suppress(OSError):
            mark.bind(("127.0.0.1", first))
            _marks.append(mark)
            return cycle(range(first + 1, first + 500))
        mark.close()
    raise RuntimeError("every block of ports is taken")
