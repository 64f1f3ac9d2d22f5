"""Hypothesis strategies for what may happen to a few users and devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from scheduler.domain.model import Quota
from tests.support.events import EVENT_TYPES, message
from tests.support.world import MINUTE, NOW, SECOND, device, held, user, world

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.messaging.message import Message

USERS: Final = ("u1", "u2", "unknown-user")
DEVICES: Final = ("d1", "d2", "d3", "d4", "unknown-device")

START: Final = world(
    user("u1", locale="en", quota=Quota(3)),
    user("u2"),
    held("d1", by="u1", since=NOW - 9 * MINUTE),
    held("d2", by="u1", since=NOW - 6 * MINUTE),
    held("d3", by="u2", since=NOW - 3 * MINUTE),
    device("d4"),
)
"""Two users with three devices of four, got three, six and nine minutes ago."""

times: Final = st.integers(0, 12).map(lambda minutes: NOW - minutes * MINUTE) | st.sampled_from(
    [NOW - 6 * MINUTE - 5 * SECOND, NOW - 6 * MINUTE - 6 * SECOND]
)
versions: Final = st.none() | st.integers(1, 4)
_amounts: Final = st.sampled_from([0, 100, 150.5, "99.99"])
_FIELDS: Final[dict[str, dict[str, st.SearchStrategy[Any]]]] = {
    "device.failed": {"reason": st.sampled_from(["broken", "坏了", ""])},
    "device.status_changed": {
        "oldStatus": st.sampled_from(["running", "stopped"]),
        "newStatus": st.sampled_from(["running", "stopped", "error", "failed", "maintenance"]),
    },
    "device.maintenance": {"estimatedDuration": st.none() | st.integers(0, 90)},
    "device.created": {
        "name": st.none() | st.just("renamed"),
        "cpuCores": st.none() | st.integers(0, 8),
    },
    "user.suspended": {"reason": st.sampled_from(["fraud", "欺诈"])},
    "user.quota_updated": {
        "newQuota": st.fixed_dictionaries(
            {"maxDevices": st.integers(0, 3)}, optional={"maxCpu": st.integers(0, 9)}
        )
    },
    "user.quota_exceeded": {
        "quotaType": st.sampled_from(["devices", "cpu", "memory"]),
        "limit": st.sampled_from([0, 1, 2, 3, 4, 4096]),
    },
    "billing.payment_failed": {"amount": _amounts},
    "billing.overdue": {"overdueAmount": _amounts},
    "billing.recharged": {"amount": _amounts},
}


@st.composite
def _event(draw: st.DrawFn, event_type: str) -> tuple[str, datetime, dict[str, Any]]:
    by_device = event_type.startswith("device")
    fields = {name: draw(values) for name, values in _FIELDS.get(event_type, {}).items()}
    fields["deviceId" if by_device else "userId"] = draw(
        st.sampled_from(DEVICES if by_device else USERS)
    )
    fields["version"] = draw(versions)
    return event_type, draw(times), fields


@st.composite
def _runs(draw: st.DrawFn, max_size: int) -> list[tuple[str, datetime, dict[str, Any]]]:
    """Return events of which often several of a type follow each other, as they do in a queue."""
    some = draw(st.lists(st.sampled_from(EVENT_TYPES), min_size=1, max_size=5, unique=True))
    types = draw(st.lists(st.sampled_from(some), min_size=1, max_size=max_size))
    return [draw(_event(event_type)) for event_type in types]


@st.composite
def histories(draw: st.DrawFn, max_size: int = 14) -> list[Message]:
    """Return valid events in the order of their arrival, some of them several times."""
    events = draw(_runs(max_size))
    distinct = [
        message(event_type, id=f"m-{number}", at=at, **fields)
        for number, (event_type, at, fields) in enumerate(events)
    ]
    copies = draw(st.lists(st.sampled_from(distinct), max_size=max_size // 2))
    arrivals = list(distinct)
    for copy in copies:
        place = draw(st.integers(0, len(arrivals)))
        arrivals.insert(place, copy._replace(redelivered=draw(st.booleans())))
    return arrivals


@st.composite
def splits(draw: st.DrawFn, messages: list[Message]) -> list[list[Message]]:
    """Return the same messages as batches: each of one queue, in their order."""
    batches: list[list[Message]] = []
    for one in messages:
        goes_on = batches and batches[-1][0].queue == one.queue
        if goes_on and draw(st.booleans()):
            batches[-1].append(one)
        else:
            batches.append([one])
    return batches
