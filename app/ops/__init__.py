"""Endpoints for machines: /healthz, /readyz, /metrics and the API reference."""

from app.ops import endpoints
from app.web.features import Feature

FEATURE = Feature(name="ops", routes=endpoints.route_patterns)
