"""Metrics: the counters and gauges that /metrics exports (see `ops`).

Label values come from closed lists (routes, decisions, events), so a visitor cannot create a time series. With several
workers, they share files (the library's multiprocess mode, set up by `server.run`), so each worker exports all counts.
Source: https://prometheus.io/docs/practices/naming/.
"""

from functools import cache
from http import HTTPMethod
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
METHODS = frozenset(HTTPMethod)

REQUESTS = Histogram("lanyard_request_seconds", "Responses, by route", ["route", "method", "status"], buckets=BUCKETS)
REFRESH_DECISIONS = Counter("lanyard_refresh_decisions", "Refresh tokens presented, by decision", ["decision"])
EVENTS = Counter("lanyard_events", "Rows of the audit log, by event", ["event"])
RATE_LIMITED = Counter("lanyard_rate_limited", "Logins and refreshes answered with 429 or 503", ["why"])
SIGNUPS_DROPPED = Counter("lanyard_signups_dropped", "Sign-ups that filled in the hidden field, as programs do")
FORWARDED_IGNORED = Counter("lanyard_forwarded_ignored", "Requests with forwarded headers from an untrusted peer")

# Set once a second by each worker (`ops.metrics_collection`); of several workers, the minimum or the sum is exported.
FEED_READ = Gauge(
    "lanyard_feed_read_timestamp_seconds", "When the invalidation feed was last read", multiprocess_mode="livemin"
)
POOL_IN_USE = Gauge("lanyard_pool_connections", "Connections to the database in use", multiprocess_mode="livesum")
POOL_WAITING = Gauge("lanyard_pool_waiting", "Callers that wait for a connection", multiprocess_mode="livesum")
PASSWORDS = Gauge("lanyard_password_checks", "Passwords being hashed or waiting", multiprocess_mode="livesum")
STREAMS = Gauge("lanyard_streams", "Open event streams and WebSockets", multiprocess_mode="livesum")
WORKERS = Gauge("lanyard_workers", "Worker processes", multiprocess_mode="livesum")


def answered(route: str, method: str, status: int, seconds: float) -> None:
    """Count a response. `route`: the path template, "" if no route matched."""
    _of(route, method if method in METHODS else "other", status).observe(seconds)


@cache  # finding the time series takes longer than counting
def _of(route: str, method: str, status: int) -> Any:
    return REQUESTS.labels(route, method, str(status))
