"""The audit log: `events` writes it, `models` is its table, `session_history` draws the events of one session."""
