"""The events of a drill, the world they meet, and what they promise; all of it from a seed.

Order is shuffled, so every scenario ends the same in whichever order its events come: each has a
user and devices of its own, and at most one event per concern (failed payments apart, which never
outdate each other). Devices are shared between a user's event and a device's, which meet in
different queues.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from events.bodies import SMALLEST
from scheduler.messaging.topology import WORK_QUEUES
from tests.faults.account import Effect, Expected, Fate, Promise, State
from tests.faults.seeded import seeded

if TYPE_CHECKING:
    from collections.abc import Iterable

HAPPENED: Final = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
"""When every event happened; allocations are about an hour older."""

REFUSED: Final = "refused-"
"""A trigger of the drill's database lets nobody with such an id come into being."""

_ID_IN_BODY: Final = 0.10
_INFORMATIONAL: Final = frozenset(
    {"device.status_changed", "billing.balance_low", "billing.payment_success"}
)


@dataclass(frozen=True, slots=True)
class Published:
    """A message to publish; without a message id its key is the body's ``eventId``."""

    key: str
    event_type: str
    body: bytes
    message_id: str | None


@dataclass(frozen=True, slots=True)
class Household:
    """A user and what it holds, oldest first: pairs of allocation and device id."""

    user: str
    held: tuple[tuple[str, str], ...]
    told: bool = True


@dataclass(slots=True)
class World:
    """The rows that exist before the drill."""

    users: list[tuple[Any, ...]] = field(default_factory=list)
    devices: list[tuple[Any, ...]] = field(default_factory=list)
    allocations: list[tuple[Any, ...]] = field(default_factory=list)
    payers: list[str] = field(default_factory=list)
    """Users with two failed payments."""


class Workload:
    """What is published, in order, duplicates included, and what may come of it."""

    def __init__(self, seed: int) -> None:
        self.chance = seeded(seed, "workload")
        self.world = World()
        self.expected = Expected()
        self.messages: list[Published] = []

    @property
    def distinct(self) -> int:
        """Return how many different events there are."""
        return len(self.expected.events) + len(self.expected.doomed)

    def household(
        self, size: int, *, status: str = "active", hold: bool = False, told: bool = True
    ) -> Household:
        """Add a user who holds so many devices."""
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
        return Household(user, tuple(held), told)

    def event(self, event_type: str, **fields: object) -> str:
        """Add a valid event and return its key."""
        key = self._publish(event_type, fields)
        self.expected.events.add(key)
        return key

    def promise(
        self, *events: str, effects: Iterable[Effect] = (), states: Iterable[State] = ()
    ) -> None:
        """Say what must be seen once these events were applied."""
        self.expected.promises.append(
            Promise(frozenset(events), frozenset(effects), frozenset(states))
        )

    def allow(self, *effects: Effect) -> None:
        """Raise the limit of effects by one."""
        self.expected.limits.update(effects)

    def release(self, home: Household, count: int, *events: str) -> None:
        """Promise that the oldest so many devices are taken back, once, whoever else asks."""
        for allocation, device in home.held[:count]:
            released: Effect = ("released", allocation)
            announced: Effect = ("announced", allocation)
            told: Effect = ("told", home.user, "device_released", allocation)
            self.expected.limits |= Counter((released, announced, told))
            effects = {released, announced} | ({told} if home.told else set())
            self.promise(*events, effects=effects, states=[("free", device)])

    def tell(self, home: Household, topic: str, key: str) -> None:
        """Promise that an event tells the user something."""
        told: Effect = ("told", home.user, topic, "")
        self.allow(told)
        self.promise(key, effects=[told])

    def malformed(self) -> None:
        """Add a message that no contract accepts."""
        event_type = self.chance.choice(WORK_QUEUES).event_type
        body = self.chance.choice((b"{oops", b"\xff\xfe", b"[1, 2]", b"{}"))
        key = self._publish(event_type, {}, body)
        self.expected.doomed[key] = Fate.DEAD_LETTER

    def failing(self) -> None:
        """Add an event whose statement always fails."""
        event_type = self.chance.choice(WORK_QUEUES).event_type
        subject = f"{REFUSED}{len(self.messages)}"
        key = self._publish(
            event_type, {("deviceId" if event_type.startswith("device") else "userId"): subject}
        )
        informational = event_type in _INFORMATIONAL
        self.expected.doomed[key] = Fate.LOGGED if informational else Fate.DEAD_LETTER
        if event_type == "billing.payment_failed":
            self.allow(("failures", subject))

    def _publish(self, event_type: str, fields: dict[str, Any], body: bytes | None = None) -> str:
        key = f"e{len(self.messages)}"
        in_body = body is None and self.chance.random() < _ID_IN_BODY
        if body is None:
            stamp = {"timestamp": HAPPENED.isoformat(), **({"eventId": key} if in_body else {})}
            body = json.dumps(SMALLEST[event_type] | fields | stamp).encode()
        self.messages.append(Published(key, event_type, body, None if in_body else key))
        return key
