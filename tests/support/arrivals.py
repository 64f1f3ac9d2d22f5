"""Hypothesis strategies for events whose publishers have any clock, in order of receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hypothesis import strategies as st

from scheduler.domain.model import Health, UserStatus
from tests.support.world import HOUR, MILLISECOND, MINUTE, NOW, SECOND

if TYPE_CHECKING:
    from datetime import datetime


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
QUOTAS: Final = [Kind("user.quota_updated", {"newQuota": {"maxDevices": n}}, n) for n in range(4)]


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


def newest(events: list[Arrival], default: object) -> object:
    """Return the state that the order of the times gives; at equal times, the later receipt."""
    state = default
    for one in sorted(events, key=lambda one: one.occurred_at):
        state = state if one.kind.state is None else one.kind.state
    return state
