"""Health check and metrics endpoints: /healthz, /readyz, /metrics.

Their responses contain no personal data and no versions of components (v5.0.0-13.4.5).
Chapter: "Going live".
"""

import hmac
from typing import Any

from lilya.responses import PlainText, Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from ravyn import Request, get

from app.auth import permissions
from app.ops import metrics_export, readiness
from app.settings import get_settings
from app.web.errors import Problem
from app.web.json_response import JSONResponse

FOR_MACHINES = (
    "/healthz",
    "/readyz",
    "/metrics",
)  # exempt from the check of the Host header: a load balancer uses its own name


@get()
async def healthz() -> Any:
    """The process answers."""
    return PlainText("ok")


@get()
async def readyz() -> Any:
    """Whether this worker can serve requests: 200, or 503 with the failing checks."""
    checks = await readiness.checks()
    ready = all(checks.values())
    words = {name: "ok" if good else "failing" for name, good in checks.items()}
    return JSONResponse({"ready": ready, "checks": words}, status_code=200 if ready else 503)


@get()
async def metrics(request: Request) -> Any:
    """The metrics, for requests with APP_METRICS_TOKEN as bearer token; 404 if that setting is empty."""
    wanted = get_settings().metrics_token
    if not wanted:
        raise Problem(404)
    scheme, _, sent = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(sent.strip().encode(), wanted.encode()):
        raise Problem(401, "This page is only for monitoring.")
    return Response(await metrics_export.text(), headers={"content-type": CONTENT_TYPE_LATEST})


route_patterns = [
    permissions.no_authentication("/healthz", healthz),
    permissions.no_authentication("/readyz", readyz),
    permissions.no_authentication("/metrics", metrics),
]
