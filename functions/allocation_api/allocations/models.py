"""Allocations on the wire."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, StrictBool, StringConstraints

from allocation_api.wire import WHOLE, Amount, Answer, Moment, Problem, RequestBody
from scheduler.database.allocations import AllocationStatus
from scheduler.messaging.contract import Id

MOST_ITEMS: Final = 100
"""Of one batch."""

Minutes = Annotated[int, Field(strict=True, ge=1, le=1440), WHOLE]
Key = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}$")]
Ids = Annotated[list[Id], Field(min_length=1, max_length=MOST_ITEMS)]


class Wishes(RequestBody):
    """Who wants a device, for how long, and what it must have at least."""

    user_id: Id
    duration_minutes: Minutes | None = None
    min_cpu_cores: Amount | None = None
    min_memory_mb: Amount | None = None


class NewAllocation(Wishes):
    """A request for a device; who will wait takes a place in line where none is free.

    In line the highest priority comes first; only an administrator may give one.
    """

    wait: StrictBool = False
    priority: Annotated[int, Field(strict=True, ge=0, le=9), WHOLE] = 0


class BatchRequest(Wishes):
    """One of several requests for a device; with a key it may be repeated without effect."""

    idempotency_key: Key | None = None


class NewAllocations(RequestBody):
    """Several requests for a device each, answered in their order."""

    requests: Annotated[list[BatchRequest], Field(min_length=1, max_length=MOST_ITEMS)]


class Extension(RequestBody):
    """By how much an allocation is to last longer."""

    additional_minutes: Minutes


class Releases(RequestBody):
    """Allocations to end; one named twice is ended once."""

    allocation_ids: Ids


class Extensions(Extension):
    """Allocations to let last longer; one named twice lasts longer once."""

    allocation_ids: Ids


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


class RefusedRequest(Answer):
    """A request for a device that led to none."""

    user_id: str
    error: Problem


class RefusedChange(Answer):
    """An allocation that stays as it is, or is not there."""

    id: str
    error: Problem


class _Batch(Answer):
    success: int
    failed: int


class AllocatedBatch(_Batch):
    """What became of each request, in their order."""

    results: list[Allocation | RefusedRequest]


class ChangedBatch(_Batch):
    """What became of each allocation, in the order in which they were named."""

    results: list[Allocation | RefusedChange]
