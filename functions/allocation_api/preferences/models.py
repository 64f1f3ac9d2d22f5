"""Preferences on the wire."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from allocation_api.wire import to_wire
from scheduler.domain.notices import Channel, NoticeKind

_TYPES: Final = sorted({kind.type for kind in NoticeKind})
_ALWAYS: Final = {
    type_
    for type_ in _TYPES
    if all(kind.account_critical for kind in NoticeKind if kind.type == type_)
}
"""Types of which every notification is critical for the account."""


def _known(type_: str) -> str:
    if type_ not in _TYPES:
        raise ValueError(f"is none of {', '.join(_TYPES)}")
    return type_


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # also what is a path, or a folder of zones
        raise ValueError("is no time zone of the IANA database, such as Asia/Shanghai") from None
    return name


NotificationType = Annotated[
    str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": _TYPES})
]
ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""Hours and minutes, such as 07:30."""
TimeZone = Annotated[str, StringConstraints(max_length=64), AfterValidator(_zone)]


class _Wire(BaseModel):
    """Read and written alike, so that what was read can be sent back changed."""

    model_config = ConfigDict(
        alias_generator=to_wire,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        defer_build=True,
    )


class QuietHoursChoice(_Wire):
    """Hours in which e-mail and SMS wait, unless the account itself is at stake."""

    start: ClockTime
    end: ClockTime
    time_zone: TimeZone

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if time.fromisoformat(self.start) == time.fromisoformat(self.end):
            raise ValueError("start and end must differ")
        return self


class Preferences(_Wire):
    """What a user chose; of channels he did not name, the service decides."""

    channels: dict[NotificationType, dict[Channel, StrictBool]] = Field(default_factory=dict)
    quiet_hours: QuietHoursChoice | None = None

    @model_validator(mode="after")
    def _critical_ones_stay(self) -> Self:
        for type_ in _ALWAYS & self.channels.keys():
            if not all(self.channels[type_].values()):
                raise ValueError(f"{type_} cannot be switched off")
        return self
