"""The route of the API's description."""

import json
from pathlib import Path
from typing import Any, Final

from allocation_api.routing import Router

DOCUMENT: Final = Path(__file__).with_name("openapi.json")


def openapi_routes() -> Router:
    """Return the route, which needs no token."""
    router = Router()

    @router.get("/openapi.json", include_in_schema=False)
    def openapi() -> dict[str, Any]:
        document: dict[str, Any] = json.loads(DOCUMENT.read_text("utf-8"))
        return document

    return router
