"""What a batch changes, as it is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.domain.model import Allocation
    from scheduler.domain.reasons import ReleaseReason
    from scheduler.notification.kinds import NoticeKind


class Release(NamedTuple):
    """An allocation that ended, or was ended. Duration in whole seconds."""

    allocation: Allocation
    reason: ReleaseReason
    released_at: datetime
    duration_seconds: int
    expired: bool = False
    cause: str = ""


class Grant(NamedTuple):
    """An allocation that begins, or goes on until a later time."""

    allocation: Allocation
    expires_at: datetime
    cause: str = ""


class Notice(NamedTuple):
    """Something a user is told; ``dedupe_key`` makes it unique for ever.

    ``cause`` names the message it comes from, empty for a request.
    """

    user_id: str
    kind: NoticeKind
    dedupe_key: str
    params: dict[str, Any]
    cause: str = ""
