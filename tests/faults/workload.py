"""The events of a drill, the initial rows, and the expected effects, all derived from a seed.

The order is shuffled, so every scenario must end the same in any order: each has its own user and
devices, and at most one event per concern (except failed payments, which never outdate each
other). A user's event and a device's event may concern the same device through different queues.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from events.bodies import SMALLEST
from scheduler.messaging.topology import WORK_QUEUES
from tests.faults.account import Effect, Expectation, Expected, FailureOutcome, FinalState
from tests.faults.drill_plan import seeded

if TYPE_CHECKING:
    from collections.abc import Iterable

HAPPENED: Final = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
"""When all events happened; allocations are about an hour older."""

REFUSED: Final = "refused-"
"""Prefix of ids that a trigger in the drill's database refuses to insert."""

_ID_IN_BODY: Final = 0.10
_INFORMATIONAL: Final = frozenset(
    {"device.status_changed", "billing.balance_low", "billing.payment_success"}
)


@dataclass(frozen=True, slots=True)
class DrillMessage:
    """A message to publish; without a message id, the body's ``eventId`` is its key."""

    key: str
    event_type: str
    body: bytes
    message_id: str | None


@dataclass(frozen=True, slots=True)
class Household:
    """A user and the devices they hold, oldest first, as pairs of allocation and device id."""

    user: str
    held: tuple[tuple[str, str], ...]
    notified: bool = True


@dataclass(slots=True)
class World:
    """The initial rows of the databases."""

    users: list[tuple[Any, ...]] = field(default_factory=list)
    devices: list[tuple[Any, ...]] = field(default_factory=list)
    allocations: list[tuple[Any, ...]] = field(default_factory=list)
    payers: list[str] = field(default_factory=list)
    """Users with two failed payments."""


class DrillWorkload:
    """The messages to publish, in order and with duplicates, and their expected effects."""

    def __init__(self, seed: int) -> None:
        self.chance = seeded(seed, "workload")
        self.world = World()
        self.expected = Expected()
        self.messages: list[DrillMessage] = []

    @property
    def distinct(self) -> int:
        """Return the number of distinct events."""
        return len(self.expected.events) + len(self.expected.rejected)

    def household(
        self, size: int, *, status: str = "active", hold: bool = False, notified: bool = True
    ) -> Household:
        """Add a user with so many devices."""
        number = len(self.world.users)
        user = f"u{number}"
        self.world.users.append((user, status, hold, 10))
        held = []
        for index in range(size):
            device, allocation = f"d{number}-{index}", f"{number:08d}-{index}"
            since = HAPPENED - timedelta(hours=1) + timedelta(minutes=index)
            self.world.devices.append((device, device, "allocated", 2, 2048, 8192))
            self.world.allocations.append((allocation, user, device, since))
            held.append((allocation, device))
        return Household(user, tuple(held), notified)

    def event(self, event_type: str, **fields: object) -> str:
        """Add a valid event and return its key."""
        key = self._publish(event_type, fields)
        self.expected.events.add(key)
        return key

    def expect(
        self, *events: str, effects: Iterable[Effect] = (), states: Iterable[FinalState] = ()
    ) -> None:
        """Add what must be observed once these events are applied."""
        self.expected.expectations.append(
            Expectation(frozenset(events), frozenset(effects), frozenset(states))
        )

    def allow(self, *effects: Effect) -> None:
        """Raise the limit of each effect by one."""
        self.expected.limits.update(effects)

    def release(self, home: Household, count: int, *events: str) -> None:
        """Expect the oldest so many devices to be released once, even if others release them."""
        for allocation, device in home.held[:count]:
            released: Effect = ("released", allocation)
            announced: Effect = ("announced", allocation)
            notified: Effect = ("notified", home.user, "device_released", allocation)
            self.expected.limits |= Counter((released, announced, notified))
            effects = {released, announced} | ({notified} if home.notified else set())
            self.expect(*events, effects=effects, states=[("free", device)])

    def notify(self, home: Household, topic: str, key: str) -> None:
        """Expect an event to notify the user."""
        notified: Effect = ("notified", home.user, topic, "")
        self.allow(notified)
        self.expect(key, effects=[notified])

    def malformed(self) -> None:
        """Add a message that is invalid for its contract."""
        event_type = self.chance.choice(WORK_QUEUES).event_type
        body = self.chance.choice((b"{oops", b"\xff\xfe", b"[1, 2]", b"{}"))
        key = self._publish(event_type, {}, body)
        self.expected.rejected[key] = FailureOutcome.DEAD_LETTER

    def failing(self) -> None:
        """Add an event whose SQL statement always fails."""
        event_type = self.chance.choice(WORK_QUEUES).event_type
        subject = f"{REFUSED}{len(self.messages)}"
        key = self._publish(
            event_type, {("deviceId" if event_type.startswith("device") else "userId"): subject}
        )
        informational = event_type in _INFORMATIONAL
        self.expected.rejected[key] = (
            FailureOutcome.LOGGED if informational else FailureOutcome.DEAD_LETTER
        )
        if event_type == "billing.payment_failed":
            self.allow(("failures", subject))

    def _publish(self, event_type: str, fields: dict[str, Any], body: bytes | None = None) -> str:
        key = f"e{len(self.messages)}"
        in_body = body is None and self.chance.random() < _ID_IN_BODY
        if body is None:
            stamp = {"timestamp": HAPPENED.isoformat(), **({"eventId": key} if in_body else {})}
            body = json.dumps(SMALLEST[event_type] | fields | stamp).encode()
        self.messages.append(DrillMessage(key, event_type, body, None if in_body else key))
        return key
