"""Hypothesis strategies for events whose publishers have any clock, in order of receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hypothesis import strategies as st

from scheduler.domain.model import Health, UserStatus
from tests.support.deciding import THRESHOLD
from tests.support.world import HOUR, MILLISECOND, MINUTE, NOW, SECOND

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.messaging.message import Message


class Kind(NamedTuple):
    """An event, and the state that it leads to."""

    event_type: str
    fields: dict[str, Any]
    state: object


_STATUSES: Final = {"running": Health.RUNNING, "error": Health.ERROR, "Idle": Health.UNKNOWN}
ACCOUNT: Final = [
    Kind("user.suspended", {}, UserStatus.SUSPENDED),
    Kind("user.activated", {}, UserStatus.ACTIVE),
]
HEALTH: Final = [
    Kind("device.failed", {}, Health.FAILED),
    Kind("device.maintenance", {}, Health.MAINTENANCE),
    Kind("device.created", {}, Health.RUNNING),
    Kind("device.created", {"status": "creating"}, Health.UNKNOWN),
    *(
        Kind("device.status_changed", {"oldStatus": "RUNNING", "newStatus": status}, health)
        for status, health in _STATUSES.items()
    ),
]
DEBT: Final = [
    Kind("billing.overdue", {}, state=True),
    Kind("billing.payment_success", {"newBalance": 0}, state=False),
    Kind("billing.recharged", {"newBalance": 1}, state=False),
    Kind("billing.recharged", {"newBalance": -1}, None),
]
PAYMENTS: Final = [
    *DEBT,
    Kind("billing.payment_failed", {}, None),
    Kind("billing.payment_failed", {"reason": "another"}, None),
    Kind("billing.balance_low", {}, None),
]
QUOTAS: Final = [Kind("user.quota_updated", {"newQuota": {"maxDevices": n}}, n) for n in range(4)]
_CONCERNS: Final = [
    [*ACCOUNT, Kind("user.deleted", {}, UserStatus.DELETED)],
    [*HEALTH, Kind("device.deleted", {}, Health.DELETED)],
    PAYMENTS,
    [*QUOTAS, Kind("user.quota_exceeded", {"quotaType": "devices"}, None)],
]
_EVERYTHING: Final = [kind for kinds in _CONCERNS for kind in kinds]


class Arrival(NamedTuple):
    """An event, when it was first received, and the time that its publisher wrote, if any."""

    kind: Kind
    received_at: datetime
    written: datetime | None

    @property
    def occurred_at(self) -> datetime:
        """Return the time that counts."""
        far_ahead = self.written and self.written - self.received_at > 5 * MINUTE
        return self.received_at if far_ahead or not self.written else self.written


# No whole seconds, which would stand for all of the second.
_spans = st.integers(-86_400, 86_400).map(lambda s: s * SECOND) | st.integers(-20, 20).map(
    lambda n: n * 30 * SECOND
)


@st.composite
def arrivals(draw: st.DrawFn, kinds: list[Kind]) -> list[Arrival]:
    """Return events in the order of their first receipt, written with clocks up to a day off."""
    moments = draw(st.lists(st.integers(0, 2 * 86_400), min_size=1, max_size=8, unique=True))
    made = []
    for moment in sorted(moments):
        at = NOW - 3 * 24 * HOUR + moment * SECOND + draw(st.integers(1, 999)) * MILLISECOND
        written = draw(st.none() | st.builds(at.__add__, _spans))
        made.append(Arrival(draw(st.sampled_from(kinds)), at, written))
    return made


def mixed_arrivals() -> st.SearchStrategy[list[Arrival]]:
    """Return events of all concerns, or, so that they meet more often, of one."""
    return st.sampled_from([_EVERYTHING, *_CONCERNS]).flatmap(arrivals)


def newest(events: list[Arrival], default: object) -> object:
    """Return the state that the order of the times gives; at equal times, the later receipt."""
    state = default
    for one in sorted(events, key=lambda one: one.occurred_at):
        state = state if one.kind.state is None else one.kind.state
    return state


def expected(events: list[Arrival]) -> dict[str, object]:
    """Return what any order of arrival must lead to, of status, hold, quota and health.

    What the rules let depend on the order is left out: what happens to deleted users.
    """
    kinds = {one.kind.event_type for one in events}
    if "user.deleted" in kinds:
        return {"status": UserStatus.DELETED} | _health(events)
    return (
        {"status": newest([one for one in events if one.kind in ACCOUNT], UserStatus.ACTIVE)}
        | _hold(events)
        | {"quota": newest([one for one in events if one.kind in QUOTAS], 10)}
        | _health(events)
    )


def _hold(events: list[Arrival]) -> dict[str, object]:
    settled = newest([one for one in events if one.kind in DEBT], None)
    paid = _last(events, "billing.payment_success", "billing.recharged")
    failures = _times(events, "billing.payment_failed")
    later = [at for at in failures if not paid or at > paid]
    return {"hold": bool(settled) or len(later) >= THRESHOLD}


def _health(events: list[Arrival]) -> dict[str, object]:
    deleted, created = _last(events, "device.deleted"), _last(events, "device.created")
    if deleted and not (created and created > deleted):
        return {"health": Health.DELETED}
    return {"health": newest([one for one in events if one.kind in HEALTH], Health.RUNNING)}


def _last(events: list[Arrival], *event_types: str) -> datetime | None:
    return max(_times(events, *event_types), default=None)


def _times(events: list[Arrival], *event_types: str) -> list[datetime]:
    return [one.occurred_at for one in events if one.kind.event_type in event_types]


def are_distinct(events: list[Arrival]) -> bool:
    """Return whether no two events have the same time: else the order of arrival decides."""
    return len({one.occurred_at for one in events}) == len(events)


@st.composite
def repeated(draw: st.DrawFn, messages: list[Message]) -> list[Message]:
    """Return the messages in their order, some of them again at any later place."""
    found = list(messages)
    for one in draw(st.lists(st.sampled_from(messages), max_size=4)):
        first = found.index(one)
        found.insert(draw(st.integers(first + 1, len(found))), one._replace(redelivered=True))
    return found
