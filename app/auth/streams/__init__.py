"""Live connections: event streams (`events.private_events`) and WebSockets (`sockets.private_socket`).

Both are routes with a permission, as pages are. `open_streams` knows what is open in this worker, and ends what the
permission would refuse by now: the session has ended, the role is gone, the token has expired.
Chapter: "Permissions".
"""
