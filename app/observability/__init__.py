"""Observability: `logs` (one line per event, without secrets) and `metrics` (exported by /metrics)."""
