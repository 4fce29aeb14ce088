"""Importing anything of the tests first puts their environment in place, so that `app` can be imported in any order."""

from tests.support import environment as environment
