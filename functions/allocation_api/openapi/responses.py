"""Responses of a route in the OpenAPI document, where they do not follow from its signature.

`allocation_api.openapi.build` adds the error codes that follow from access rule, path and body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from allocation_api.errors import CONTENT_TYPE

if TYPE_CHECKING:
    from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse
    from pydantic import BaseModel

ERROR_SCHEMA: Final[dict[str, Any]] = {"$ref": "#/components/schemas/Error"}
_MAY_NOT_ALLOCATE: Final = ("user_deleted", "user_suspended", "billing_hold", "user_unknown")


def body_of(model: type[BaseModel]) -> OpenAPIResponse:
    """Return a response with a body; the summary of the route becomes its description."""
    return {"description": "", "content": {CONTENT_TYPE: {"model": model}}}


def refusal(*codes: str) -> OpenAPIResponse:
    """Return an error response with one of the codes."""
    return {"description": ", ".join(codes), "content": {CONTENT_TYPE: {"schema": ERROR_SCHEMA}}}


def may_not_create(*codes: str) -> dict[int, OpenAPIResponse]:
    """Return the error responses of routes that create something for a user, and more of 403."""
    forbidden = refusal(*_MAY_NOT_ALLOCATE, *codes)
    return {403: forbidden, 429: refusal("hourly_limit_exceeded")}
