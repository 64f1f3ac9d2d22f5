"""Allocations on the wire."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from allocation_api.wire import Amount, Answer, Moment, RequestBody
from scheduler.allocation.record import AllocationStatus
from scheduler.messaging.contract import Id

Minutes = Annotated[int, Field(strict=True, ge=1, le=1440)]


class NewAllocation(RequestBody):
    """A request for a device; the wishes are minima."""

    user_id: Id
    duration_minutes: Minutes | None = None
    min_cpu_cores: Amount | None = None
    min_memory_mb: Amount | None = None


class Allocation(Answer):
    """A device in somebody's hands, now or before; adb where it still is."""

    id: str
    user_id: str
    device_id: str
    device_name: str | None
    status: AllocationStatus
    allocated_at: Moment
    expires_at: Moment
    released_at: Moment | None
    duration_seconds: int | None
    release_reason: str | None
    adb_host: str | None
    adb_port: int | None


class AllocationPage(Answer):
    """Some of a user's allocations, newest first."""

    items: list[Allocation]
    next_cursor: str | None
