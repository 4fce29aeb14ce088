"""What an operator sees: `logs` (lines without secrets) and `metrics` (the instruments that /metrics exports)."""
