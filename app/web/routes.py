"""What the table of routes says about an address, and what must not stand in it."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lilya.enums import Match
from ravyn.params import Cookie, Form, Security


def methods_at(scope: Mapping[str, Any]) -> set[str]:
    """The methods that the address of a request answers, over all its routes, for the Allow header of a 405."""
    return set(_methods(scope["app"].routes, scope))


def refuse_unsafe(app: Any) -> None:
    """Stop the start over a route that leans on a part of the framework which fails open.

    Errors: RuntimeError that names the route and what to use instead.
    """
    if app.router.redirect_slashes:
        raise RuntimeError("the application needs redirect_slashes=False: the redirect goes to whatever Host says")
    for route in app.routes:
        for problem in _problems(route):
            raise RuntimeError(f"{route.path}: {problem}")


def _methods(routes: Iterable[Any], scope: Mapping[str, Any]) -> Iterator[str]:
    for route in routes:
        match, child = route.search(scope)
        if match is Match.NONE:
            continue
        if inner := getattr(route, "routes", None):
            yield from _methods(inner, {**scope, **child})
        else:
            yield from getattr(route, "methods", None) or ()


def _problems(route: Any) -> Iterator[str]:
    if getattr(route.app, "redirect_slashes", False):
        yield "pass redirect_slashes=False to the Include: the redirect goes to whatever Host says"
    for inner in getattr(route, "routes", ()):
        yield from _problems(inner)
    handler = getattr(route, "handler", None)
    if getattr(route, "exception_handlers", None) or getattr(handler, "exception_handlers", None):
        yield "exception handlers of one route catch for the whole application: give them to ErrorBoundary"
    if function := getattr(handler, "fn", None):
        if not inspect.iscoroutinefunction(function):
            yield "the handler is not async: it would hold up every other request"
        for parameter in inspect.signature(function).parameters.values():
            if isinstance(parameter.default, Security):
                yield f"Security() never runs, and ?{parameter.name}= fills the argument: use a permission"
            if isinstance(parameter.default, Form):
                yield "Form() and File() decode every field as JSON: use forms.parse"
            if isinstance(parameter.default, Cookie):
                yield "Cookie() hides which parser reads: use cookies.read"
