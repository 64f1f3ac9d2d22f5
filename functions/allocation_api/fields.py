"""Field types and base classes of requests and responses: camelCase JSON."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from aws_lambda_powertools.event_handler.openapi.params import Header
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)
from pydantic.alias_generators import to_camel

from scheduler.messaging.contract import ResourceId

_KEY_PATTERN: Final = r"^[\x21-\x7e]{1,128}$"


def _as_int(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE: Final = BeforeValidator(_as_int)
"""For integers that refuse strings and booleans: JSON does not distinguish 60.0 from 60."""

Quantity = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000), WHOLE]
"""A number of cores or megabytes in a request."""

Minutes = Annotated[int, Field(strict=True, ge=1, le=1440), WHOLE]
"""The duration of a request or an extension."""

IdempotencyKeyText = Annotated[str, StringConstraints(pattern=_KEY_PATTERN)]
IdempotencyKeyHeader = Annotated[str | None, Header(alias="idempotency-key", pattern=_KEY_PATTERN)]


def _decode(value: Any) -> Any:  # noqa: ANN401 - any value; the next validator judges it
    return unquote(value, errors="strict") if isinstance(value, str) else value


PathId = Annotated[ResourceId, BeforeValidator(_decode)]
"""An id in a path, which `allocation_api.requests` has percent-encoded."""


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # also for a path, or a directory of zones
        raise ValueError(
            "must be a time zone of the IANA database, such as Asia/Shanghai"
        ) from None
    return name


TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_known_zone)]
"""A name of the IANA database."""


def to_json_name(name: str) -> str:
    """Return a field's name in JSON: ``max_memory_mb`` is ``maxMemoryMB``."""
    return to_camel(name).replace("Mb", "MB")


class RequestBody(BaseModel):
    """Base of request bodies; an unknown field is an error, so a typo does not go unnoticed."""

    model_config = ConfigDict(
        alias_generator=to_json_name, extra="forbid", frozen=True, defer_build=True
    )


class ResponseBody(BaseModel):
    """Base of response bodies, made of any object with attributes of the same names.

    Times are UTC. The suffix ``Response`` of a model, if it has one, is left out in the OpenAPI
    document.
    """

    model_config = ConfigDict(
        alias_generator=to_json_name,
        populate_by_name=True,
        from_attributes=True,
        frozen=True,
        defer_build=True,  # on first use: a cold start serves one route
    )


def _is_absent(value: object) -> bool:
    return value is None


class Problem(ResponseBody):
    """The reason for an error: a code for programs, a message for people."""

    code: str
    message: str
    details: Any = Field(default=None, exclude_if=_is_absent)
