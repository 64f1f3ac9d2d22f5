"""Changes to allocations that a unit of work records and commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.domain.model import Allocation
    from scheduler.domain.reasons import ReleaseReason
    from scheduler.domain.trace import TraceContext


class Release(NamedTuple):
    """An allocation that ended. ``actor`` is as in `scheduler.domain.work.Work.actor`."""

    allocation: Allocation
    reason: ReleaseReason
    released_at: datetime
    duration_seconds: int
    expired: bool
    actor: str
    trace: TraceContext


class Grant(NamedTuple):
    """A new allocation, or an extension of an active one."""

    allocation: Allocation
    expires_at: datetime
    actor: str
    trace: TraceContext
