"""Anything that can happen to a few users and devices, in any order."""

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
    lost_reservations,
    lost_waiters,
    overdue,
    violations,
)
from tests.support.events import message
from tests.support.world import device, user, world

if TYPE_CHECKING:
    from tests.integration.allocation.platform import Platform

USERS: Final = {"u1": Quota(2), "u2": Quota(3, max_cpu=5), "u3": Quota(4, max_memory_mb=9000)}
DEVICES: Final = {"d1": (1, 2048), "d2": (2, 4096), "d3": (4, 8192)}

users: Final = st.sampled_from([*USERS, "newcomer"])
wishes: Final = st.builds(
    Requirements, st.sampled_from([0, 0, 1, 2, 4]), st.sampled_from([0, 0, 4096])
)
requests: Final = st.builds(AllocationRequest, users, st.sampled_from([5, 30, 60]), wishes)
picks: Final = st.integers(0, 99)
"""Which of what there is, modulo how much there is."""

_ACTIVE: Final = "SELECT id FROM allocations WHERE status = 'ALLOCATED' ORDER BY id"
_IN_LINE: Final = "SELECT id FROM waiting ORDER BY id"
_RESERVATIONS: Final = "SELECT id FROM reservations ORDER BY id"


@st.composite
def device_events(draw: st.DrawFn) -> Any:  # noqa: ANN401 - a message
    """Return an event about a device, a new one among them; its size is always the same."""
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
    """Return an event about a user; his limits of cores and memory stay as they are."""
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
    """The platform between its users, its devices and the clock."""

    def __init__(self, platform: Platform) -> None:
        super().__init__()
        self.platform = platform
        self.kept = False

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
        """Ask for devices, several at once in one transaction."""
        for outcome in self.platform.allocator.allocate_all(wanted, "user:u"):
            assert isinstance(outcome, AllocationRecord | RefusedError)
        self.kept = False

    @rule(wanted=st.lists(requests, min_size=1, max_size=4), priority=st.integers(0, 2))
    def wait(self, wanted: list[AllocationRequest], priority: int) -> None:
        """Ask for devices, and wait where none is free."""
        for one in wanted:
            self._wait(replace(one, wait=True, priority=priority))
        self.kept = False

    @rule(which=st.lists(picks, min_size=1, max_size=3))
    def release(self, which: list[int]) -> None:
        """Give devices back."""
        self.platform.leases.release(self._some(which), "user:u")
        self.kept = False

    @rule(which=st.lists(picks, min_size=1, max_size=3), minutes=st.sampled_from([1, 30]))
    def extend(self, which: list[int], minutes: int) -> None:
        """Ask for more time."""
        for outcome in self.platform.leases.extend(self._some(which), minutes, "user:u"):
            assert isinstance(outcome, AllocationRecord | RefusedError)

    @rule(which=picks)
    def leave(self, which: int) -> None:
        """Give up a place in line, also one that has ended."""
        ids = [id_ for (id_,) in self.platform.store.rows(_IN_LINE)]
        if ids:
            with self.platform.store.database.transaction() as cursor:
                place = waiting.find(cursor, ids[which % len(ids)])
            assert place
            self.platform.line.leave(place)

    @rule(
        user_id=users,
        wish=wishes,
        ahead=st.sampled_from([0, 5, 20, 60, 120]),
        minutes=st.sampled_from([5, 30, 60]),
    )
    def reserve(self, user_id: str, wish: Requirements, ahead: int, minutes: int) -> None:
        """Reserve a device, or be told when one is free; that must then be true."""
        self.kept = False
        start = self.platform.clock() + timedelta(minutes=ahead)
        slot = Slot(start, start + timedelta(minutes=minutes))
        try:
            self.platform.book.reserve(ReservationRequest(user_id, slot, wish))
        except RefusedError as refused:
            if nearest := refused.details.get("nearest"):
                start, end = (datetime.fromisoformat(moment) for moment in nearest.values())
                self._reserve_surely(ReservationRequest(user_id, Slot(start, end), wish))

    @rule(which=picks)
    def cancel(self, which: int) -> None:
        """Cancel a reservation, also one that has ended."""
        ids = [id_ for (id_,) in self.platform.store.rows(_RESERVATIONS)]
        if ids:
            with self.platform.store.database.transaction() as cursor:
                reservation = reservations.find(cursor, ids[which % len(ids)])
            assert reservation
            self.platform.book.cancel(reservation)
            self.kept = False

    @rule(events=st.lists(device_events() | user_events(), min_size=1, max_size=4))
    def consume(self, events: list[Any]) -> None:
        """Let the event functions work on whatever happened, in batches where types repeat."""
        self.platform.handle(*events)
        self.kept = False

    @rule(minutes=st.sampled_from([0, 1, 10, 60]))
    def keep_house(self, minutes: int) -> None:
        """Let time pass, and housekeeping run at its end."""
        self.platform.clock.wait(timedelta(minutes=minutes))
        self.platform.keep_house()
        self.kept = True

    @invariant()
    def never(self) -> None:
        """Whatever happened, these hold."""
        assert not violations(self.platform.store, NEVER | IN_ORDER)

    @invariant()
    def after_housekeeping(self) -> None:
        """Nobody waits for what is free, and nothing lasts longer than it should."""
        if self.kept:
            now = self.platform.clock()
            assert not lost_waiters(self.platform.store, now)
            assert not lost_reservations(self.platform.store, now)
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

    def _reserve_surely(self, booking: ReservationRequest) -> None:
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
