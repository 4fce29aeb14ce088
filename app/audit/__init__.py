"""The audit log: `events` writes it, `models` is its table, `session_history` draws what happened to one session."""
