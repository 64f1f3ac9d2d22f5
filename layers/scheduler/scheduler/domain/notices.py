"""The kinds of notifications and their default channels.

`scheduler.notification` turns a notice into rows and texts.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Any, NamedTuple

from scheduler.domain.model import Allocation
from scheduler.domain.trace import NO_TRACE, TraceContext


class Channel(StrEnum):
    """A channel over which users are notified."""

    WEBSOCKET = "websocket"
    EMAIL = "email"
    SMS = "sms"

    @property
    def intrusive(self) -> bool:
        """Return whether it reaches users who have not opened the product."""
        return self is not Channel.WEBSOCKET


_NONE: tuple[Channel, ...] = ()
_PUSH = (Channel.WEBSOCKET,)
_MAIL = (Channel.WEBSOCKET, Channel.EMAIL)
_ALL = (Channel.WEBSOCKET, Channel.EMAIL, Channel.SMS)


class NoticeKind(Enum):
    """A kind of notification: its key in the text catalogue and its default channels."""

    DEVICE_RELEASED = ("device_released", _PUSH)
    # Digest of many DEVICE_RELEASED; `scheduler.notification.plan` chooses its channels.
    DEVICES_RELEASED = ("device_released.digest", _NONE)
    ALLOCATION_SUCCESS = ("allocation_success", _PUSH)
    ALLOCATION_EXPIRING_SOON = ("allocation_expiring_soon", _PUSH)
    ALLOCATION_EXPIRED = ("allocation_expired", _MAIL)
    WAITING_EXPIRED = ("waiting_expired", _PUSH)
    RESERVATION_FAILED_POOL = ("reservation_failed.pool", _MAIL)
    RESERVATION_FAILED_QUOTA = ("reservation_failed.quota", _MAIL)
    RESERVATION_FAILED_ACCOUNT = ("reservation_failed.account", _MAIL)
    ACCOUNT_SUSPENDED = ("account_suspended", _MAIL)
    QUOTA_UPDATED = ("quota_adjusted.updated", _MAIL)
    QUOTA_EXCEEDED = ("quota_adjusted.exceeded", _MAIL)
    PAYMENT_FAILED = ("billing_alert.payment_failed", _MAIL)
    BALANCE_LOW = ("billing_alert.balance_low", _MAIL)
    OVERDUE = ("billing_alert.overdue", _ALL)
    PAYMENT_SUCCESS = ("billing_alert.payment_success", _PUSH)
    RECHARGED = ("billing_alert.recharged", _PUSH)
    SERVICE_SUSPENDED = ("service_suspended", _ALL)

    def __init__(self, key: str, channels: tuple[Channel, ...]) -> None:
        self.key = key
        self.channels = channels

    @property
    def type(self) -> str:
        """Return the type that clients see, e.g. ``billing_alert``; several kinds may share it."""
        return self.key.partition(".")[0]

    @property
    def account_critical(self) -> bool:
        """Return whether it ignores the user's channel choices and quiet hours."""
        return self in _ACCOUNT_CRITICAL


def dedupe_key(kind: NoticeKind, cause: str) -> str:
    """Return the key under which a notification is stored once: its kind and what caused it."""
    return f"{kind.key}:{cause}"


_ACCOUNT_CRITICAL = frozenset(
    {NoticeKind.ACCOUNT_SUSPENDED, NoticeKind.OVERDUE, NoticeKind.SERVICE_SUSPENDED}
)


class Notice(NamedTuple):
    """Something to notify a user of.

    ``dedupe_key`` is unique in the database: the same notice is stored once. ``message_key``
    is the key of the message that caused it, empty for API requests and scheduled jobs; ``actor``
    is as in `scheduler.domain.work.Work.actor`.
    """

    user_id: str
    kind: NoticeKind
    dedupe_key: str
    params: dict[str, Any]
    message_key: str = ""
    actor: str = ""
    trace: TraceContext = NO_TRACE

    @property
    def allocation_id(self) -> str | None:
        """Return the allocation it is about; None if it is about none or about several."""
        allocation = self.params.get("allocation")
        return allocation.id if isinstance(allocation, Allocation) else None
