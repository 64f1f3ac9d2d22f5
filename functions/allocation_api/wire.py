"""What bodies of requests and answers have in common: camelCase JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import unquote

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from scheduler.messaging.contract import Id

Moment = datetime
"""A time in answers: ISO 8601, UTC."""


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE: Final = BeforeValidator(_whole)
"""With a strict integer: neither text nor truth value, but JSON does not tell 60.0 from 60."""

Amount = Annotated[int, Field(strict=True, ge=0, le=1_000_000_000), WHOLE]
"""A number of devices, cores or megabytes in a request."""


def to_wire(name: str) -> str:
    """Return a field's name in JSON: ``max_memory_mb`` is ``maxMemoryMB``."""
    return to_camel(name).replace("Mb", "MB")


def _decoded(value: Any) -> Any:  # noqa: ANN401 - any value; the next validator judges it
    return unquote(value, errors="strict") if isinstance(value, str) else value


PathId = Annotated[Id, BeforeValidator(_decoded)]
"""An id in a path, which `allocation_api.admission` has percent-encoded."""


class RequestBody(BaseModel):
    """A request; an unknown field is an error, since a misspelt wish would go unheard."""

    model_config = ConfigDict(
        alias_generator=to_wire, extra="forbid", frozen=True, defer_build=True
    )


class Answer(BaseModel):
    """An answer, made of any object with attributes of the same names."""

    model_config = ConfigDict(
        alias_generator=to_wire,
        populate_by_name=True,
        from_attributes=True,
        frozen=True,
        defer_build=True,  # on first use: a cold start serves one route
    )


def _is_absent(value: object) -> bool:
    return value is None


class Problem(Answer):
    """Why not: a code for machines, a message for people."""

    code: str
    message: str
    details: Any = Field(default=None, exclude_if=_is_absent)
