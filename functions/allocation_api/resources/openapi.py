"""The OpenAPI document of the API, as `make openapi` wrote it."""

import json
from pathlib import Path
from typing import Any, Final

from allocation_api.access import Access, Router

DOCUMENT: Final = Path(__file__).parents[1] / "openapi" / "openapi.json"


def openapi_routes() -> Router:
    """Return the route that serves the document."""
    router = Router()

    @router.get("/openapi.json", include_in_schema=False)
    @router.allow(Access.ANYONE)
    def openapi() -> dict[str, Any]:
        document: dict[str, Any] = json.loads(DOCUMENT.read_text("utf-8"))
        return document

    return router
