"""Refusals on the wire: ``{"error": {"code", "message", "details"?}}``, whatever went wrong."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTENT_TYPE: Final = "application/json"


class ApiError(Exception):
    """An answer that is no success; ``code`` is for machines, ``message`` for people."""

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        message: str,
        details: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.headers = dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        """Return the JSON of the answer."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.details:
            error["details"] = self.details
        return {"error": error}

    @property
    def gateway_response(self) -> dict[str, Any]:
        """Return the answer as an HTTP API takes it from a function (payload format 2.0)."""
        return {
            "statusCode": self.status.value,
            "headers": {"Content-Type": CONTENT_TYPE, **self.headers},
            "cookies": [],
            "body": json.dumps(self.body, ensure_ascii=False),
            "isBase64Encoded": False,
        }


def unauthorized() -> ApiError:
    """Return the answer to a caller nobody vouches for."""
    challenge = {"WWW-Authenticate": "Bearer"}
    return ApiError(
        HTTPStatus.UNAUTHORIZED, "unauthorized", "a valid access token is needed", None, challenge
    )


def forbidden(message: str = "only the user himself or an administrator may do this") -> ApiError:
    """Return the answer to a caller who may not."""
    return ApiError(HTTPStatus.FORBIDDEN, "forbidden", message)


def not_found(what: str) -> ApiError:
    """Return the answer where there is nothing, e.g. ``no such device``."""
    return ApiError(HTTPStatus.NOT_FOUND, "not_found", f"no such {what}")


def invalid(*problems: tuple[str, str]) -> ApiError:
    """Return the answer to a request that breaks the contract.

    Args:
        *problems: pairs of the field, e.g. ``body.userId``, and what is wrong with it.
    """
    details = [{"field": field, "message": message} for field, message in problems]
    text = "; ".join(f"{field}: {message}" for field, message in problems)
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", text, details)
