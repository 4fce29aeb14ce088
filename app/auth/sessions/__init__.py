"""Sessions on the server: refresh tokens (`rotation`, `rotation_policy`) and the `session_cache`."""
