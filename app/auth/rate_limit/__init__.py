"""Rate limits: `attempts` (passwords, codes), `quotas` (refresh, e-mail), `limits`, `counters`."""
