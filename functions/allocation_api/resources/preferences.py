"""Preferences of a user: which notifications they want on which channels, and quiet hours."""

import json
from datetime import time
from typing import Annotated, Any, Final, Self

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
from pymysql.cursors import Cursor

from allocation_api.access import Access, Router
from allocation_api.fields import PathId, TimeZone, to_json_name
from allocation_api.openapi.responses import body_of, refusal
from scheduler.database import load
from scheduler.database.connection import Database
from scheduler.database.cursor import BulkCursor
from scheduler.domain.notices import Channel, NoticeKind
from scheduler.domain.refusal import require_existing

_TYPES: Final = sorted({kind.type for kind in NoticeKind})
_ACCOUNT_CRITICAL_TYPES: Final = {
    type_
    for type_ in _TYPES
    if all(kind.account_critical for kind in NoticeKind if kind.type == type_)
}
"""Types of which every notification is critical for the account."""


def _known_type(type_: str) -> str:
    if type_ not in _TYPES:
        raise ValueError(f"must be one of {', '.join(_TYPES)}")
    return type_


NotificationType = Annotated[
    str, AfterValidator(_known_type), WithJsonSchema({"type": "string", "enum": _TYPES})
]
ClockTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""Hours and minutes, such as 07:30."""


class _Body(BaseModel):
    """The same in requests and responses, so that a response can be changed and sent back."""

    model_config = ConfigDict(
        alias_generator=to_json_name,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        defer_build=True,
    )


class QuietHoursChoice(_Body):
    """Hours in which e-mail and SMS are held back, unless they are critical for the account."""

    start: ClockTime
    end: ClockTime
    time_zone: TimeZone

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if time.fromisoformat(self.start) == time.fromisoformat(self.end):
            raise ValueError("start and end must differ")
        return self


class Preferences(_Body):
    """The channels a user chose by type of notification; others follow the defaults."""

    channels: dict[NotificationType, dict[Channel, StrictBool]] = Field(default_factory=dict)
    quiet_hours: QuietHoursChoice | None = None

    @model_validator(mode="after")
    def _critical_types_stay_on(self) -> Self:
        for type_ in _ACCOUNT_CRITICAL_TYPES & self.channels.keys():
            if not all(self.channels[type_].values()):
                raise ValueError(f"{type_} cannot be switched off")
        return self


_SELECT: Final = """
    SELECT channels, TIME_FORMAT(quiet_from, '%%H:%%i'), TIME_FORMAT(quiet_until, '%%H:%%i'),
           time_zone
    FROM notification_preferences WHERE user_id = %s
"""
_UPSERT: Final = """
    INSERT INTO notification_preferences (user_id, channels, quiet_from, quiet_until, time_zone)
    VALUES (%s, %s, %s, %s, %s)
    ON DUPLICATE KEY UPDATE channels = VALUES(channels), quiet_from = VALUES(quiet_from),
        quiet_until = VALUES(quiet_until), time_zone = VALUES(time_zone)
"""


def preference_routes(database: Database) -> Router:
    """Return the routes that show a user's preferences and replace them."""
    router = Router()

    @router.get(
        "/api/users/<user_id>/preferences",
        operation_id="getPreferences",
        summary="Get a user's notification preferences",
    )
    @router.allow(Access.OWNER)
    def look_up(user_id: PathId) -> Preferences:
        with database.transaction() as cursor:
            return Preferences.model_validate(_select(cursor, user_id))

    @router.put(
        "/api/users/<user_id>/preferences",
        operation_id="replacePreferences",
        summary="Replace a user's notification preferences",
        responses={200: body_of(Preferences), 403: refusal("user_deleted")},
    )
    @router.allow(Access.OWNER)
    def replace(user_id: PathId, body: Preferences) -> Preferences:
        def store(cursor: BulkCursor) -> None:
            # The user is locked, so that nothing is left behind if they are just being deleted.
            for user in load.lock_snapshot(cursor, [user_id], []).users.values():
                require_existing(user)
            _upsert(cursor, user_id, body)

        database.run(store)
        return look_up(user_id)

    return router


def _select(cursor: Cursor, user_id: str) -> dict[str, Any]:
    """Return a user's preferences by field; empty if they have none."""
    cursor.execute(_SELECT, (user_id,))
    row = cursor.fetchone()
    if row is None:
        return {}
    channels, start, end, zone = row
    quiet_hours = {"start": start, "end": end, "time_zone": zone} if zone else None
    return {"channels": json.loads(channels), "quiet_hours": quiet_hours}


def _upsert(cursor: Cursor, user_id: str, preferences: Preferences) -> None:
    quiet = preferences.quiet_hours
    hours = (quiet.start, quiet.end, quiet.time_zone) if quiet else (None, None, None)
    cursor.execute(_UPSERT, (user_id, json.dumps(preferences.channels), *hours))
