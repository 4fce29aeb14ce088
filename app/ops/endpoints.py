"""Health check and metrics endpoints: /healthz, /readyz, /metrics.

None of them says anything about a person, or about what the site is made of (v5.0.0-13.4.5).
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

FOR_MACHINES = ("/healthz", "/readyz", "/metrics")  # a load balancer knows this process by a name of its own


@get()
async def healthz() -> Any:
    """The process answers."""
    return PlainText("ok")


@get()
async def readyz() -> Any:
    """Whether visitors may be sent here: 200, or 503 with what is missing."""
    checks = await readiness.checks()
    ready = all(checks.values())
    words = {name: "ok" if good else "failing" for name, good in checks.items()}
    return JSONResponse({"ready": ready, "checks": words}, status_code=200 if ready else 503)


@get()
async def metrics(request: Request) -> Any:
    """The figures, for whoever has APP_METRICS_TOKEN; without that setting there is no such page."""
    wanted = get_settings().metrics_token
    if not wanted:
        raise Problem(404)
    scheme, _, sent = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(sent.strip().encode(), wanted.encode()):
        raise Problem(401, "This page is for the monitoring of the site.")
    return Response(await metrics_export.text(), headers={"content-type": CONTENT_TYPE_LATEST})


route_patterns = [
    permissions.no_authentication("/healthz", healthz),
    permissions.no_authentication("/readyz", readyz),
    permissions.no_authentication("/metrics", metrics),
]
