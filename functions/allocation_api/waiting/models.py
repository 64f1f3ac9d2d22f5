"""Places in line on the wire."""

from __future__ import annotations

from allocation_api.wire import Answer, Moment
from scheduler.domain.waiting import WaitingStatus


class WaitingPlace(Answer):
    """A place in line, or what became of it.

    The position counts from 1, only while it is ``WAITING``. Once it is ``SERVED`` there is an
    allocation, which has the id of the place.
    """

    id: str
    user_id: str
    status: WaitingStatus
    position: int | None
    priority: int
    duration_minutes: int
    min_cpu_cores: int
    min_memory_mb: int
    created_at: Moment
    expires_at: Moment
    ended_at: Moment | None
    allocation_id: str | None


class WaitingPlaces(Answer):
    """The places in which a user waits, oldest first."""

    items: list[WaitingPlace]
