"""Playwright against a real server process. The environment is that of the unit tests."""

import tests as tests
