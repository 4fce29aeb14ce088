"""Endpoints for machines: /healthz, /readyz, /metrics and the API reference."""
