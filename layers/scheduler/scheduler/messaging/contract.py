"""What all events share on the wire; functions/<family>/contracts.py hold the 15 contracts."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Annotated, Any, ClassVar, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel

from scheduler.domain.guard import Aggregate, Guard, Stamp

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]", re.ASCII)
_PRINTABLE: Final = (
    r"^[^\s\x00-\x1f\x7f-\x9f\u2028\u2029]"
    r"([^\x00-\x1f\x7f-\x9f\u2028\u2029]*[^\s\x00-\x1f\x7f-\x9f\u2028\u2029])?$"
)
"""What `_printable` lets through, for readers of the API's description."""
_MAX_TEXT: Final = 300
_EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
MAX_AHEAD: Final = timedelta(days=1)
"""A time further in the future would make every later event look outdated for ever."""


def _printable(value: str) -> str:
    if _CONTROL.search(value) or value != value.strip():
        raise ValueError("must not contain control characters or surrounding blanks")
    return value


def _tidy(value: str) -> str:
    """Make one line of at most 300 characters: a stack trace as a reason must not be lost."""
    line = _CONTROL.sub(" ", value).strip()
    return line if len(line) <= _MAX_TEXT else line[: _MAX_TEXT - 1] + "…"


def _only_text(value: object) -> object:
    if isinstance(value, datetime) or (isinstance(value, str) and _DATE.match(value)):
        return value
    raise ValueError("must be an ISO 8601 text with zone")


def _sensible(value: datetime, info: ValidationInfo) -> datetime:
    if value.replace(tzinfo=UTC) < _EARLIEST:  # compared before conversion, which overflows
        raise ValueError("lies before the year 2000")
    if value.replace(tzinfo=UTC) > _now(info) + MAX_AHEAD:
        raise ValueError("lies more than a day in the future")
    return value.astimezone(UTC)


def _now(info: ValidationInfo) -> datetime:
    if info.context is None:
        raise TypeError("validate events with context={'now': ...}")
    now: datetime = info.context["now"]
    return now


Id = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64),
    AfterValidator(_printable),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 64, "pattern": _PRINTABLE}),
]
"""An id of a user or device."""

Word = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_printable)]
"""A short name, such as a status."""

Text = Annotated[str, AfterValidator(_tidy)]
"""Free text of any length, shortened to one line of 300 characters."""

ZonedTime = Annotated[AwareDatetime, BeforeValidator(_only_text)]
"""ISO 8601 with zone. Near the years 1 and 9999 its conversion to UTC overflows."""

Timestamp = Annotated[ZonedTime, AfterValidator(_sensible)]
"""ISO 8601 with zone, between the year 2000 and a day after ``context["now"]``."""


class PaymentEffect(Enum):
    """What an event does to its user's count of failed payments."""

    FAILURE = auto()
    RESET = auto()


class Event(BaseModel):
    """What the 15 events have in common. Unknown fields are ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        defer_build=True,  # an environment serves one queue: of its family's five it needs one
    )

    event_type: ClassVar[str]
    critical: ClassVar[bool] = True
    guard: ClassVar[Guard]
    aggregate: ClassVar[Aggregate]
    final: ClassVar[bool] = False
    """Whether it still counts after its user or device was deleted."""
    payment: ClassVar[PaymentEffect | None] = None
    braked: ClassVar[bool] = False
    """Whether too many releases by such events at once are doubted (`scheduler.domain.brake`)."""

    timestamp: Timestamp
    event_id: str | None = None
    version: Annotated[int, Field(ge=1, lt=1 << 63, strict=True)] | None = None

    @property
    def subject_id(self) -> str:
        """Return the id of the user or device the event is about."""
        raise NotImplementedError

    @property
    def stamp(self) -> Stamp:
        """Return when it happened, as the guard compares it."""
        return Stamp(self.timestamp, self.version)

    @property
    def occurred_at(self) -> datetime:
        """Return when it happened, in UTC."""
        return self.timestamp


class UserEvent(Event):
    """An event about a user."""

    aggregate: ClassVar[Aggregate] = Aggregate.USER
    user_id: Id

    @property
    def subject_id(self) -> str:
        """Return the user's id."""
        return self.user_id


class DeviceEvent(Event):
    """An event about a device."""

    aggregate: ClassVar[Aggregate] = Aggregate.DEVICE
    device_id: Id

    @property
    def subject_id(self) -> str:
        """Return the device's id."""
        return self.device_id


def with_default_time(body: dict[str, Any], sent_at: datetime | None, now: datetime) -> None:
    """Fill in a missing ``timestamp``: the AMQP timestamp if it is sensible, else the receipt."""
    if body.get("timestamp") is None:
        sensible = sent_at is not None and _EARLIEST <= sent_at <= now + MAX_AHEAD
        body["timestamp"] = sent_at if sensible else now
