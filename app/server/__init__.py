"""The server process: `run` starts it, `workers` keeps several alive, `protocol` bounds bytes and heads."""
