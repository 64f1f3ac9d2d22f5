"""The timeline of a user or device."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field, model_validator
from pydantic.alias_generators import to_camel

from operations.context import Arguments, Moment, OperationContext
from scheduler.domain.guard import Aggregate
from scheduler.timeline.entries import Subject, TimelineEntry, Window
from scheduler.timeline.read import read_timeline

if TYPE_CHECKING:
    from typing import Self

_MAX_WINDOW: Final = timedelta(days=31)
_FIELDS: Final = tuple(field.name for field in fields(TimelineEntry))
_camel: Final = cache(to_camel)


class TimelineArguments(Arguments):
    """Whose timeline, and its window of at most 31 days."""

    kind: Literal["user", "device"]
    id: str = Field(min_length=1, max_length=64)
    start: Moment
    end: Moment
    language: Literal["en", "zh-CN"] = "en"

    @model_validator(mode="after")
    def _limit(self) -> Self:
        if not timedelta() <= self.end - self.start <= _MAX_WINDOW:
            raise ValueError("the window must have at most 31 days, and end after it starts")
        return self


def timeline(context: OperationContext, arguments: TimelineArguments) -> dict[str, Any]:
    """Return what happened to a user or device, oldest first, and the next step."""
    subject = Subject(Aggregate(arguments.kind), arguments.id)
    window = Window(arguments.start, arguments.end)
    with context.transaction() as cursor:
        found = read_timeline(cursor, subject, window, arguments.language)
    return {
        "kind": arguments.kind,
        "id": arguments.id,
        "start": window.start.isoformat(),
        "end": window.end.isoformat(),
        "entries": [entry_to_json(one) for one in found.entries],
        "complete": found.complete,
        "nextStep": found.next_step,
    }


def entry_to_json(entry: TimelineEntry) -> dict[str, Any]:
    """Return an entry as JSON data."""
    return {_camel(name): _to_json(getattr(entry, name)) for name in _FIELDS}


def _to_json(value: Any) -> Any:  # noqa: ANN401 - any field of an entry
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {_camel(name): _to_json(one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [_to_json(one) for one in value]
    return value.isoformat() if hasattr(value, "isoformat") else value
