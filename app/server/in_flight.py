"""The memory that unanswered requests hold in this worker, limited by the setting `APP_REQUEST_MEMORY_BYTES`.

`protocol` reports the bytes of each connection. Source: v5.0.0-15.2.2.
"""

from typing import Protocol

from app.observability import logs
from app.settings import get_settings

log = logs.get("server")


class Connection(Protocol):
    """What this module asks of a connection."""

    def is_unfinished(self) -> bool:
        """Whether its request is incomplete and has no response yet."""

    def drop(self) -> None:
        """Refuse its request and free the memory."""


class Requests:
    """The bytes of unanswered requests in this worker, by connection.

    If they exceed the limit, the largest incomplete requests are dropped: a client that sends endless requests does not
    affect others.
    """

    def __init__(self) -> None:
        self.total = 0
        self._held: dict[Connection, int] = {}

    def add(self, connection: Connection, size: int) -> None:
        self._held[connection] = self._held.get(connection, 0) + size
        self.total += size
        most = get_settings().request_memory_bytes
        if self.total > most:
            self._make_room(most * 3 // 4)
            if self.total > most:
                connection.drop()  # all other requests are complete and being processed

    def forget(self, connection: Connection) -> None:
        self.total -= self._held.pop(connection, 0)

    def _make_room(self, enough: int) -> None:
        unfinished = [connection for connection in self._held if connection.is_unfinished()]
        unfinished.sort(key=lambda connection: self._held[connection])
        dropped = 0
        while unfinished and self.total > enough:
            unfinished.pop().drop()
            dropped += 1
        if dropped:
            log.warning("requests_dropped", dropped=dropped)


requests = Requests()
