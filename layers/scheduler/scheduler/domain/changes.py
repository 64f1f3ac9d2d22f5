"""What a batch changes, as it is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.domain.model import Allocation
    from scheduler.domain.reasons import ReleaseReason


class Release(NamedTuple):
    """An allocation that ended, or was ended. Duration in whole seconds."""

    allocation: Allocation
    reason: ReleaseReason
    released_at: datetime
    duration_seconds: int
    expired: bool = False
    actor: str = ""


class Grant(NamedTuple):
    """An allocation that begins, or goes on until a later time."""

    allocation: Allocation
    expires_at: datetime
    actor: str = ""
