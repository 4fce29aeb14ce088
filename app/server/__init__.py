"""The server process: `run` starts it, `workers` restarts workers, `protocol` limits the size and time of requests."""
