"""The events of a drill, the initial rows, and the expected effects, all derived from a seed.

The order is shuffled, so every scenario must end the same in any order: each has its own user and
devices, and at most one event per concern (except failed payments, which never outdate each
other). A user's event and a device's event may concern the same device through different queues.

The times of the events are spread, in seconds and milliseconds; some are missing, and some are
ahead of the receipt. Some events have no id, among them equal failed payments. These are published
once, because nobody can tell their second copy from another event.
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
"""When the first events happened; allocations are about an hour older."""

_AHEAD: Final = "2099-01-01T00:00:00Z"
_SPREAD_MS: Final = 30 * 60 * 1000

REFUSED: Final = "refused-"
"""Prefix of ids that a trigger in the drill's database refuses to insert."""

_ID_IN_BODY: Final = 0.10
_WITHOUT_ID: Final = 0.20
_WITHOUT_TIME: Final = 0.15
_CLOCK_AHEAD: Final = 0.05
_WHOLE_SECONDS: Final = 0.30
_INFORMATIONAL: Final = frozenset(
    {"device.status_changed", "billing.balance_low", "billing.payment_success"}
)


@dataclass(frozen=True, slots=True)
class DrillMessage:
    """A message to publish; its key travels as the correlation id, which does not identify it."""

    key: str
    event_type: str
    body: bytes
    message_id: str | None
    identified: bool = True
    """Whether it has a message id, or an ``eventId`` in its body."""


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
    waiting: list[tuple[Any, ...]] = field(default_factory=list)
    """Entries of the waiting line: id, user, required cores and memory."""


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
        self,
        size: int,
        *,
        status: str = "active",
        hold: bool = False,
        notified: bool = True,
        sizes: tuple[int, int] = (2, 2048),
    ) -> Household:
        """Add a user with so many devices, of so many cores and MB."""
        number = len(self.world.users)
        user = f"u{number}"
        self.world.users.append((user, status, hold, 10))
        held = []
        for index in range(size):
            device, allocation = f"d{number}-{index}", f"{number:08d}-{index}"
            since = HAPPENED - timedelta(hours=1) + timedelta(minutes=index)
            self.world.devices.append((device, device, "allocated", *sizes, 8192))
            self.world.allocations.append((allocation, user, device, since))
            held.append((allocation, device))
        return Household(user, tuple(held), notified)

    def waiter(self) -> tuple[str, str, tuple[int, int]]:
        """Add a user who waits for a device of a size of its own; return them, entry and size."""
        number = len(self.world.waiting)
        user, entry = self.household(0).user, f"waiting-{number:08d}"
        # More cores come with less memory, so that the device of one entry suits no other.
        size = (100 + number, 1_000_000 - number)
        self.world.waiting.append((entry, user, *size))
        return user, entry, size

    def event(self, event_type: str, **fields: object) -> str:
        """Add a valid event and return its key."""
        return self.events(1, event_type, **fields)[0]

    def events(self, count: int, event_type: str, **fields: object) -> list[str]:
        """Add valid events that are equal unless they have ids; return their keys."""
        identified = self.chance.random() >= _WITHOUT_ID
        stamp = self._stamp()
        keys = [
            self._publish(event_type, fields | stamp, identified=identified) for _ in range(count)
        ]
        self.expected.events.update(keys)
        if not identified:
            self.expected.without_id.update(keys)
        return keys

    def _stamp(self) -> dict[str, str]:
        drawn = self.chance.random()
        if drawn < _WITHOUT_TIME:
            return {}
        if drawn < _WITHOUT_TIME + _CLOCK_AHEAD:
            return {"timestamp": _AHEAD}
        moment = HAPPENED + timedelta(milliseconds=self.chance.randrange(_SPREAD_MS))
        whole = self.chance.random() < _WHOLE_SECONDS
        return {"timestamp": moment.isoformat(timespec="seconds" if whole else "milliseconds")}

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

    def repeat(self, key: str, effect: Effect) -> None:
        """Raise the limit of an effect by one, and by one more for each copy without an id."""
        self.allow(effect)
        self.expected.per_event.setdefault(key, []).append(effect)

    def release(self, home: Household, count: int, *events: str, free: bool = True) -> None:
        """Expect the oldest so many devices to be released once, even if others release them."""
        for allocation, device in home.held[:count]:
            released: Effect = ("released", allocation)
            announced: Effect = ("announced", allocation)
            notified: Effect = ("notified", home.user, "device_released", allocation)
            self.expected.limits |= Counter((released, announced, notified))
            effects = {released, announced} | ({notified} if home.notified else set())
            self.expect(*events, effects=effects, states=[("free", device)] if free else [])

    def notify(self, home: Household, topic: str, key: str) -> None:
        """Expect an event to notify the user."""
        notified: Effect = ("notified", home.user, topic, "")
        self.repeat(key, notified)
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

    def _publish(
        self,
        event_type: str,
        fields: dict[str, Any],
        body: bytes | None = None,
        *,
        identified: bool = True,
    ) -> str:
        key = f"e{len(self.messages)}"
        in_body = body is None and self.chance.random() < _ID_IN_BODY
        if body is None:
            event_id = {"eventId": key} if identified and in_body else {}
            body = json.dumps(SMALLEST[event_type] | fields | event_id).encode()
        message_id = key if identified and not in_body else None
        self.messages.append(DrillMessage(key, event_type, body, message_id, identified))
        return key
