"""The API's description as a page to read and try: Swagger UI, from the files of Powertools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools.event_handler.openapi import swagger_ui
from starlette.responses import FileResponse, HTMLResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

_FILES: Final = Path(swagger_ui.__file__).parent
_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>CloudPhone Scheduler API</title>
  <link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
  <div id="swagger-ui"></div>
  <script src="/docs/swagger-ui.js"></script>
  <script>
    SwaggerUIBundle({
      url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, persistAuthorization: true
    });
  </script>
</body>
</html>
"""


def docs_routes() -> list[Route]:
    """Return the routes of the page, which loads nothing from other machines."""

    async def page(_request: Request) -> HTMLResponse:
        return HTMLResponse(_PAGE)

    async def script(_request: Request) -> FileResponse:
        return FileResponse(_FILES / "swagger-ui-bundle.min.js")

    async def style(_request: Request) -> FileResponse:
        return FileResponse(_FILES / "swagger-ui.min.css")

    return [
        Route("/docs", page),
        Route("/docs/swagger-ui.js", script),
        Route("/docs/swagger-ui.css", style),
    ]
