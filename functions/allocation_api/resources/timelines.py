"""The timeline of a user or a device: what happened to them, and why."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import AwareDatetime, BeforeValidator

from allocation_api.access import Access, Router
from allocation_api.errors import invalid
from allocation_api.fields import PathId, ResponseBody
from scheduler.database.connection import Database
from scheduler.domain.guard import Aggregate
from scheduler.domain.model import DEFAULT_LOCALE
from scheduler.timeline.entries import EntryKind, Subject, TimelineEntry, Window
from scheduler.timeline.read import read_timeline

_DAY: Final = timedelta(days=1)
_MAX_WINDOW: Final = timedelta(days=31)
_FOR_USERS: Final = frozenset(
    {
        EntryKind.ALLOCATION,
        EntryKind.WAITING,
        EntryKind.RESERVATION,
        EntryKind.NOTIFICATION,
    }
)
"""Users see what happened to them; the messages behind it are for administrators."""


def _no_number(value: object) -> object:
    # pydantic takes numbers for seconds since 1970; the format of the document is a date and time.
    if isinstance(value, str) and not value[:5].endswith("-"):
        raise ValueError("must be a time with a zone, such as 2026-02-20T12:00:00Z")
    return value


_Moment = Annotated[AwareDatetime | None, BeforeValidator(_no_number)]
WindowStart = Annotated[_Moment, Query(alias="from")]
WindowEnd = Annotated[_Moment, Query()]


class MessageResponse(ResponseBody):
    """A message that the scheduler received, and who published it."""

    queue: str
    id: str
    correlation_id: str | None
    publisher: str | None


class ChannelDeliveryResponse(ResponseBody):
    """The delivery of a notification; ``answer`` is the provider's, for administrators only."""

    channel: str
    status: str
    attempts: int
    at: datetime
    answer: str | None


class TimelineEntryResponse(ResponseBody):
    """Something that happened; messages and next steps are shown to administrators only."""

    at: datetime
    kind: EntryKind
    action: str
    outcome: str
    detail: str
    user_id: str | None
    device_id: str | None
    allocation_id: str | None
    message: MessageResponse | None
    caused_by: str | None
    deliveries: list[ChannelDeliveryResponse]
    next_step: str


class TimelineResponse(ResponseBody):
    """What happened in a window, oldest first; if it is not ``complete``, narrow the window."""

    items: list[TimelineEntryResponse]
    complete: bool
    next_step: str | None


def timeline_routes(database: Database) -> Router:
    """Return the routes that show timelines."""
    router = Router()

    @router.get(
        "/api/users/<user_id>/timeline",
        operation_id="getUserTimeline",
        summary="List what happened to a user, oldest first; by default in the last 24 hours",
    )
    @router.allow(Access.OWNER)
    def of_user(
        user_id: PathId,
        from_: WindowStart = None,
        to: WindowEnd = None,
    ) -> TimelineResponse:
        return _read(Subject(Aggregate.USER, user_id), from_, to)

    @router.get(
        "/api/devices/<device_id>/timeline",
        operation_id="getDeviceTimeline",
        summary="List what happened to a device, oldest first; by default in the last 24 hours",
    )
    @router.allow(Access.ADMIN)
    def of_device(
        device_id: PathId,
        from_: WindowStart = None,
        to: WindowEnd = None,
    ) -> TimelineResponse:
        return _read(Subject(Aggregate.DEVICE, device_id), from_, to)

    def _read(subject: Subject, start: datetime | None, end: datetime | None) -> TimelineResponse:
        window = _window(start, end, datetime.now(UTC))
        with database.transaction() as sql:
            found = read_timeline(sql, subject, window, router.language or DEFAULT_LOCALE)
        admin = router.caller.is_admin
        shown = [one for one in found.entries if admin or one.kind in _FOR_USERS]
        items = [TimelineEntryResponse.model_validate(_visible(one, admin=admin)) for one in shown]
        step = (found.next_step or None) if admin else None
        return TimelineResponse(items=items, complete=found.complete, next_step=step)

    return router


def _visible(entry: TimelineEntry, *, admin: bool) -> TimelineEntry:
    """Return an entry without what only administrators may see."""
    if admin:
        return entry
    deliveries = tuple(one._replace(answer=None) for one in entry.deliveries)
    return replace(entry, message=None, caused_by=None, deliveries=deliveries, next_step="")


def _window(start: datetime | None, end: datetime | None, now: datetime) -> Window:
    """Return the requested window, in UTC; by default the day that ends now."""
    try:
        last = (end or now).astimezone(UTC)
        first = start.astimezone(UTC) if start else last - _DAY
    except OverflowError:  # near the years 1 and 9999
        raise invalid(("query.from", "is out of range")) from None
    if not timedelta() <= last - first <= _MAX_WINDOW:
        raise invalid(("query.from", "must be at most 31 days before `to`, and not after it"))
    return Window(first, last)
