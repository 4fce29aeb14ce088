"""The API reference: /openapi.json and /docs/swagger.

Served in development, and in production if APP_DOCS is true. The page is Swagger UI from `static/swagger`, under the
same Content-Security-Policy as every other page: no inline scripts, no external resources.
Chapter: "The JSON API".
"""

from functools import cache
from typing import Any

from ravyn import Request, get

from app.auth import permissions
from app.web import openapi, templates
from app.web.features import Feature
from app.web.json_response import JSONResponse

VERSION = "1"  # of the API's contract


@get()
async def document(request: Request) -> Any:
    return JSONResponse(_document(request.scope["app"]))


@get()
async def swagger(request: Request) -> Any:
    return templates.page(request, "ops/swagger.html")


@cache
def _document(app: Any) -> dict[str, Any]:
    routes = [route for route in app.routes if hasattr(route, "permission")]
    return openapi.document(routes, title=templates.APP_NAME, version=VERSION)


FEATURE = Feature(
    name="api reference",
    enabled=lambda settings: settings.shows_docs,
    routes=[
        permissions.no_authentication("/openapi.json", document),
        permissions.public("/docs/swagger", swagger),
    ],
)
