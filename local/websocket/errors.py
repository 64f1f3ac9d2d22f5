"""Errors in the form in which AWS clients understand them (the REST-JSON protocol)."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response


def aws_error(status: int, kind: str, message: str | None = None) -> Response:
    """Return an error; ``kind`` is its class in boto3, e.g. ``GoneException``."""
    return JSONResponse({"message": message}, status, {"x-amzn-ErrorType": kind})
