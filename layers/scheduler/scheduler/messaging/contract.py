"""Field types and base classes of the event contracts in functions/<family>_events/contracts.py."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

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

from scheduler.domain.guard import Aggregate, Concern, Guard, Stamp

if TYPE_CHECKING:
    from scheduler.domain.model import Health

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
DECIMAL: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_WHOLE: Final = re.compile(r"-?\d+(\.0+)?", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]", re.ASCII)
_FAR_YEAR: Final = re.compile(r"\+?0*[1-9]\d{4,5}(?=-\d\d-\d\d[Tt ])", re.ASCII)
_LEAP_SECOND: Final = re.compile(r"(\d\d:\d\d:)60(?:[.,]\d+)?")
_HOURS_OF_ZONE: Final = re.compile(r"(:\d\d(?:[.,]\d+)?[+-]\d\d)\Z")
_BYTE_ORDER_MARK: Final = "\ufeff"
"""Outside Python it counts as white space."""
_INNER: Final = r"/?\x00-\x1f\x7f-\x9f\u2028\u2029"
_NAMEABLE: Final = (
    rf"^([^.\s{_INNER}]([^{_INNER}]*[^\s{_INNER}])?"
    rf"|\.([^.\s{_INNER}]|[^{_INNER}]+[^\s{_INNER}]))$"
)
"""What `ResourceId` accepts, for JSON schemas; without lookahead, which not all libraries have."""
_LAST_LEAP_YEAR: Final = "9996"
_MAX_TEXT: Final = 300
_MAX_WORD: Final = 64
_MIN_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
_MAX_AHEAD: Final = timedelta(minutes=5)
"""How far a publisher's clock may be ahead: a later time would make other events outdated."""

RECEIVED_AT: Final = "received_at"
"""Key of the validation context: when the message was first received."""
CLOCK_AHEAD: Final = "clock_ahead"
"""Key that validation adds to its context when it replaces a time that is too far ahead."""


def _printable(value: str) -> str:
    if _CONTROL.search(value) or value != value.strip().strip(_BYTE_ORDER_MARK):
        raise ValueError("must not contain control characters, or blanks at either end")
    if "\ufffd" in value:
        raise ValueError("contains U+FFFD, the replacement for text that is not UTF-8")
    return value


def _nameable(value: str) -> str:
    if "/" in value or "?" in value:
        raise ValueError("must not contain / or ?, which a URL path cannot contain")
    if value in (".", ".."):  # clients take them for steps in the path
        raise ValueError("must not be . or .., which mean a step in a URL path")
    return value


def _to_one_line(value: str) -> str:
    """Shorten a text to a line of 300 characters; a stack trace as a reason is not an error."""
    line = _CONTROL.sub(" ", value).strip()
    return line if len(line) <= _MAX_TEXT else line[: _MAX_TEXT - 1] + "…"


def _to_word(value: str) -> str:
    return _CONTROL.sub(" ", value).strip().lower()[:_MAX_WORD]


def _require_date_text(value: object) -> object:
    """Return a time in a form that pydantic reads; it does not support all of ISO 8601."""
    if isinstance(value, datetime):
        return value
    text = value if isinstance(value, str) else ""
    if far := _FAR_YEAR.match(text):  # milliseconds read as seconds: any year ahead will do
        text = _LAST_LEAP_YEAR + text[far.end() :]
    if _DATE.match(text):
        # A leap second counts as the second before, and PostgreSQL writes zones of whole hours.
        return _HOURS_OF_ZONE.sub(r"\1:00", _LEAP_SECOND.sub(r"\g<1>59", text))
    raise ValueError("must be an ISO 8601 time with a time zone")


def _limit_time(value: datetime, info: ValidationInfo) -> datetime:
    if info.context is None:
        raise TypeError("validate events with context={RECEIVED_AT: ...}")
    received_at: datetime = info.context[RECEIVED_AT]
    if value.replace(tzinfo=UTC) < _MIN_TIME:  # compared before the conversion, which may overflow
        raise ValueError("is before the year 2000")
    # Offsets are below a day, so what is later by a day is later in any zone.
    far_ahead = value.replace(tzinfo=UTC) - received_at > timedelta(days=1)
    if far_ahead or value - received_at > _MAX_AHEAD:
        info.context[CLOCK_AHEAD] = True
        return received_at
    return value.astimezone(UTC)


ResourceId = Annotated[
    str,
    StringConstraints(min_length=1, max_length=64),
    AfterValidator(_printable),
    AfterValidator(_nameable),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 64, "pattern": _NAMEABLE}),
]
"""An id of a user, a device or an allocation."""

Word = Annotated[str, AfterValidator(_to_word)]
"""A word that another service chooses, such as a status: lower case, cut at 64 characters."""

FreeText = Annotated[str, AfterValidator(_to_one_line)]
"""Text of any length, shortened to one line of 300 characters."""

ZonedTime = Annotated[AwareDatetime, BeforeValidator(_require_date_text)]
"""ISO 8601 with a time zone. Near the years 1 and 9999 its conversion to UTC overflows."""

Timestamp = Annotated[ZonedTime, AfterValidator(_limit_time)]
"""ISO 8601 with a time zone, from the year 2000 on; in UTC.

A time more than five minutes after ``context[RECEIVED_AT]`` counts as that time.
"""


def _require_whole(value: object) -> object:
    """Reject what int accepts besides whole numbers: ``true``, which is 1, ``1_000``, ``" 7"``."""
    if isinstance(value, bool) or (isinstance(value, str) and not _WHOLE.fullmatch(value)):
        raise ValueError("Input should be a valid integer, such as 7")
    return value


PLAIN_INTEGER: Final = BeforeValidator(_require_whole)
"""For integers, which may be plain texts or have a fraction of 0."""


class PaymentEffect(Enum):
    """How an event changes the user's count of failed payments."""

    FAILURE = auto()
    RESET = auto()


class Event(BaseModel):
    """Base of all contracts. Unknown fields are ignored."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        defer_build=True,  # an environment serves one queue and needs one of its family's contracts
    )

    event_type: ClassVar[str]
    critical: ClassVar[bool] = True
    guard: ClassVar[Guard]
    aggregate: ClassVar[Aggregate]
    applies_to_deleted: ClassVar[bool] = False
    """Whether it is applied although the user or device is deleted."""
    payment: ClassVar[PaymentEffect | None] = None
    braked: ClassVar[bool] = False
    """Whether the mass-failure brake limits its releases (`scheduler.domain.brake`)."""
    erases: ClassVar[bool] = False
    """Whether it erases the user's unsent notifications (`scheduler.database.erasures`)."""

    timestamp: Timestamp
    """When it happened, with a time zone; by default the AMQP timestamp, else the first receipt."""
    event_id: str | None = None
    """Identifies the event if the message has no ``message_id``."""
    version: Annotated[int, Field(ge=1, lt=1 << 63, strict=True)] | None = None
    """Increases with each change of the user or device; decides the order instead of the
    timestamp."""

    @property
    def subject_id(self) -> str:
        """Return the id of the user or device the event is about."""
        raise NotImplementedError

    @property
    def summary(self) -> str:
        """Return what the log line shows about the event in addition to its subject."""
        return ""

    @property
    def advances(self) -> tuple[Concern, ...]:
        """Return the concerns whose marks it advances."""
        return self.guard.advances

    @property
    def stamp(self) -> Stamp:
        """Return the time and version that the guard compares."""
        return Stamp(self.timestamp, self.version)

    @property
    def reports(self) -> Health | None:
        """Return the health of a device that it reports; None if it reports none."""
        return None

    @property
    def occurred_at(self) -> datetime:
        """Return when it happened, in UTC."""
        return self.timestamp


class UserEvent(Event):
    """An event about a user."""

    aggregate: ClassVar[Aggregate] = Aggregate.USER
    user_id: ResourceId
    """The user."""

    @property
    def subject_id(self) -> str:
        """Return the user's id."""
        return self.user_id


class DeviceEvent(Event):
    """An event about a device."""

    aggregate: ClassVar[Aggregate] = Aggregate.DEVICE
    device_id: ResourceId
    """The device."""

    @property
    def subject_id(self) -> str:
        """Return the device's id."""
        return self.device_id


def with_default_time(
    body: dict[str, Any], sent_at: datetime | None, received_at: datetime
) -> bool:
    """Set a missing ``timestamp`` to the AMQP timestamp, else to the time of receipt.

    Returns:
        Whether the publisher named a time, in the body or in the AMQP properties.
    """
    if body.get("timestamp") is not None:
        return True
    in_range = sent_at is not None and sent_at >= _MIN_TIME
    body["timestamp"] = sent_at if in_range else received_at
    return in_range
