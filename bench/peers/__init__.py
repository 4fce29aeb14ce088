"""The application beside two well-known starters: `python -m bench.peers` (`make peers`)."""
