"""A state machine of everything that can happen to a few users and devices."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from scheduler.allocation.allocate import AllocationRequest
from scheduler.allocation.reservation_book import ReservationRequest
from scheduler.database import allocations, reservations, waiting
from scheduler.database.allocations import AllocationRecord
from scheduler.domain.model import Quota
from scheduler.domain.quota import Requirements
from scheduler.domain.refusal import Refusal, RefusedError
from scheduler.domain.reservation import Slot
from tests.integration.allocation.invariants import (
    IN_ORDER,
    NEVER,
    overdue,
    unserved_entries,
    unstarted_reservations,
    violations,
)
from tests.support.events import message
from tests.support.world import device, user, world

if TYPE_CHECKING:
    from tests.integration.allocation.platform import Platform

USERS: Final = {"u1": Quota(2), "u2": Quota(3, max_cpu=5), "u3": Quota(4, max_memory_mb=9000)}
DEVICES: Final = {"d1": (1, 2048), "d2": (2, 4096), "d3": (4, 8192)}

users: Final = st.sampled_from([*USERS, "newcomer"])
requirements: Final = st.builds(
    Requirements, st.sampled_from([0, 0, 1, 2, 4]), st.sampled_from([0, 0, 4096])
)
requests: Final = st.builds(AllocationRequest, users, st.sampled_from([5, 30, 60]), requirements)
picks: Final = st.integers(0, 99)
"""Selects an existing item, modulo their number."""

_ACTIVE: Final = "SELECT id FROM allocations WHERE status = 'ALLOCATED' ORDER BY id"
_ENTRIES: Final = "SELECT id FROM waiting ORDER BY id"
_RESERVATIONS: Final = "SELECT id FROM reservations ORDER BY id"


@st.composite
def device_events(draw: st.DrawFn) -> Any:  # noqa: ANN401 - a message
    """Return an event about a known or a new device; the size of a device never changes."""
    id_ = draw(st.sampled_from([*DEVICES, "new"]))
    cpu, memory = DEVICES.get(id_, (1, 4096))
    fields: dict[str, dict[str, Any]] = {
        "device.created": {"cpuCores": cpu, "memoryMB": memory},
        "device.status_changed": draw(
            st.fixed_dictionaries(
                {
                    "oldStatus": st.sampled_from(["running", "stopped"]),
                    "newStatus": st.sampled_from(["running"] * 3 + ["stopped", "maintenance"]),
                }
            )
        ),
    }
    bad = ["device.failed", "device.maintenance", "device.deleted"]
    type_ = draw(st.sampled_from(["device.created", "device.status_changed"] * 3 + bad))
    return message(type_, deviceId=id_, **fields.get(type_, {}))


@st.composite
def user_events(draw: st.DrawFn) -> Any:  # noqa: ANN401 - a message
    """Return an event about a user; the limits of cores and memory never change."""
    id_ = draw(users)
    quota = USERS.get(id_, Quota(2))
    fields: dict[str, dict[str, Any]] = {
        "user.quota_updated": {
            "newQuota": {
                "maxDevices": draw(st.integers(0, 4)),
                "maxCpu": quota.max_cpu,
                "maxMemory": quota.max_memory_mb,
            }
        },
        "user.quota_exceeded": {"quotaType": "devices", "limit": draw(st.integers(0, 3))},
    }
    bad = ["user.suspended", "user.quota_exceeded", "billing.overdue"]
    good = ["user.quota_updated", "user.activated", "billing.payment_success"]
    type_ = draw(st.sampled_from(good * 2 + bad))
    return message(type_, userId=id_, **fields.get(type_, {}))


class Machine(RuleBasedStateMachine):
    """Requests, events, housekeeping and time on one platform, in any order."""

    def __init__(self, platform: Platform) -> None:
        super().__init__()
        self.platform = platform
        self.housekept = False

    @initialize()
    def begin(self) -> None:
        """Start with some users and devices."""
        self.platform.store.clear()
        sizes = {id_: {"cpu_cores": cpu, "memory_mb": mb} for id_, (cpu, mb) in DEVICES.items()}
        self.platform.store.seed(
            world(
                *(user(id_, quota=quota) for id_, quota in USERS.items()),
                *(device(id_, **size) for id_, size in sizes.items()),
            )
        )

    @rule(wanted=st.lists(requests, min_size=1, max_size=4))
    def allocate(self, wanted: list[AllocationRequest]) -> None:
        """Request several devices in one transaction."""
        for outcome in self.platform.allocator.allocate_all(wanted, "user:u"):
            assert isinstance(outcome, AllocationRecord | RefusedError)
        self.housekept = False

    @rule(wanted=st.lists(requests, min_size=1, max_size=4), priority=st.integers(0, 2))
    def wait(self, wanted: list[AllocationRequest], priority: int) -> None:
        """Request devices, and queue the requests that find none."""
        for one in wanted:
            self._wait(replace(one, wait=True, priority=priority))
        self.housekept = False

    @rule(which=st.lists(picks, min_size=1, max_size=3))
    def release(self, which: list[int]) -> None:
        """Release allocations."""
        self.platform.leases.release(self._some(which), "user:u")
        self.housekept = False

    @rule(which=st.lists(picks, min_size=1, max_size=3), minutes=st.sampled_from([1, 30]))
    def extend(self, which: list[int], minutes: int) -> None:
        """Extend allocations."""
        for outcome in self.platform.leases.extend(self._some(which), minutes, "user:u"):
            assert isinstance(outcome, AllocationRecord | RefusedError)

    @rule(which=picks)
    def leave(self, which: int) -> None:
        """Cancel a waiting entry, even one that has ended."""
        ids = [id_ for (id_,) in self.platform.store.rows(_ENTRIES)]
        if ids:
            with self.platform.store.database.transaction() as cursor:
                entry = waiting.find(cursor, ids[which % len(ids)])
            assert entry
            self.platform.line.leave(entry)

    @rule(
        user_id=users,
        required=requirements,
        ahead=st.sampled_from([0, 5, 20, 60, 120]),
        minutes=st.sampled_from([5, 30, 60]),
    )
    def reserve(self, user_id: str, required: Requirements, ahead: int, minutes: int) -> None:
        """Reserve a device; if refused, reserve the suggested slot, which must succeed."""
        self.housekept = False
        start = self.platform.clock() + timedelta(minutes=ahead)
        slot = Slot(start, start + timedelta(minutes=minutes))
        try:
            self.platform.book.reserve(ReservationRequest(user_id, slot, required))
        except RefusedError as refused:
            if nearest := refused.details.get("nearest"):
                start, end = (datetime.fromisoformat(moment) for moment in nearest.values())
                self._reserve_suggested(ReservationRequest(user_id, Slot(start, end), required))

    @rule(which=picks)
    def cancel(self, which: int) -> None:
        """Cancel a reservation, even one that has ended."""
        ids = [id_ for (id_,) in self.platform.store.rows(_RESERVATIONS)]
        if ids:
            with self.platform.store.database.transaction() as cursor:
                reservation = reservations.find(cursor, ids[which % len(ids)])
            assert reservation
            self.platform.book.cancel(reservation)
            self.housekept = False

    @rule(events=st.lists(device_events() | user_events(), min_size=1, max_size=4))
    def consume(self, events: list[Any]) -> None:
        """Process events; consecutive events of the same type form a batch."""
        self.platform.handle(*events)
        self.housekept = False

    @rule(minutes=st.sampled_from([0, 1, 10, 60]))
    def keep_house(self, minutes: int) -> None:
        """Advance the clock, and run housekeeping."""
        self.platform.clock.wait(timedelta(minutes=minutes))
        self.platform.keep_house()
        self.housekept = True

    @invariant()
    def never(self) -> None:
        """Check the invariants that always hold."""
        assert not violations(self.platform.store, NEVER | IN_ORDER)

    @invariant()
    def after_housekeeping(self) -> None:
        """Check that no user waits for a free device, and that nothing is overdue."""
        if self.housekept:
            now = self.platform.clock()
            assert not unserved_entries(self.platform.store, now)
            assert not unstarted_reservations(self.platform.store, now)
            assert not overdue(self.platform.store, now)

    def _wait(self, wanted: AllocationRequest) -> None:
        try:
            self.platform.allocator.allocate(wanted, "user:u")
        except RefusedError as refused:
            if refused.refusal is Refusal.NO_DEVICE_AVAILABLE:
                self._join(wanted)

    def _join(self, wanted: AllocationRequest) -> None:
        try:
            self.platform.line.join(wanted)
        except RefusedError as refused:
            assert refused.refusal is Refusal.QUOTA_EXCEEDED  # noqa: PT017 - the only one

    def _reserve_suggested(self, booking: ReservationRequest) -> None:
        try:
            self.platform.book.reserve(booking)
        except RefusedError as refused:
            assert refused.refusal is Refusal.QUOTA_EXCEEDED  # noqa: PT017 - the only one

    def _some(self, which: list[int]) -> list[AllocationRecord]:
        with self.platform.store.database.transaction() as cursor:
            cursor.execute(_ACTIVE)
            ids = [id_ for (id_,) in cursor.fetchall()]
            chosen = {ids[number % len(ids)] for number in which} if ids else set()
            return list(allocations.by_id(cursor, chosen).values())
