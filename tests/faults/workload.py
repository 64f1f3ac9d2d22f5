"""The events of a drill, the initial rows, and who they belong to, all derived from a seed.

The order of the messages is shuffled. Users, devices and events form households that share
nothing, so what each may end like can be computed apart (`tests.faults.outcomes`). A user's event
and a device's event may concern the same device through different queues.

The times of the events are spread, in seconds and milliseconds; some are missing, and some are
ahead of the receipt. Some events have no id, among them equal failed payments. These are published
once, because nobody can tell their second copy from another event.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any, Final, NamedTuple

from events.bodies import SMALLEST
from scheduler.messaging.topology import WORK_QUEUES, WorkQueue
from tests.faults.drill_plan import seeded

HAPPENED: Final = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
"""When the first events happened; allocations are about an hour older."""
SPREAD: Final = timedelta(minutes=30)
RECEIPT: Final = 10**18
"""The time of an event that happened, as far as is known, when it was received."""

REFUSED: Final = "refused-"
"""Prefix of ids that a trigger in the drill's database refuses to insert."""

_AHEAD: Final = "2099-01-01T00:00:00Z"
_ID_IN_BODY: Final = 0.10
_WITHOUT_ID: Final = 0.20
_WITHOUT_TIME: Final = 0.15
_CLOCK_AHEAD: Final = 0.05
_WHOLE_SECONDS: Final = 0.30
_WITHOUT_SHARD_KEY: Final = 0.20
_INFORMATIONAL: Final = frozenset(
    {"device.status_changed", "billing.balance_low", "billing.payment_success"}
)


class FailureOutcome(Enum):
    """How an event that cannot be applied must end."""

    DEAD_LETTER = auto()
    LOGGED = auto()
    """Acknowledged, and logged as an error with its payload (informational events)."""


@dataclass(frozen=True, slots=True)
class DrillMessage:
    """A message to publish; its key starts the correlation id, which does not identify it."""

    key: str
    event_type: str
    body: bytes
    message_id: str | None
    identified: bool = True
    """Whether it has a message id, or an ``eventId`` in its body."""
    subject: str = ""
    shard_key: str | None = None


class DrillEvent(NamedTuple):
    """An event as the model sees it; ``at`` is in microseconds after `HAPPENED`, or `RECEIPT`."""

    key: str
    id: str
    """Its id among the processed messages; without one, ``content:`` and the hash of its body."""
    event_type: str
    subject: str
    at: int
    fields: dict[str, Any]

    @property
    def queue(self) -> str:
        """Return the name of its queue."""
        return WorkQueue(self.event_type).name


class Held(NamedTuple):
    """A device that a user holds."""

    allocation: str
    device: str


@dataclass(slots=True)
class Household:
    """Users and devices that events of other households do not concern."""

    number: int
    identified: bool
    users: dict[str, tuple[str, bool, int]] = field(default_factory=dict)
    """Status, billing hold and quota by id."""
    holds: dict[Held, str] = field(default_factory=dict)
    """The holder of each device, oldest allocation first."""
    waits: dict[str, str] = field(default_factory=dict)
    """The user of each entry of the waiting line, in its order; every device suits each."""
    cores: int = 2
    mails_releases: bool = False
    """Whether its users chose e-mails about released devices."""
    failures: int = 0
    """How many payments of its users have failed before."""
    events: list[DrillEvent] = field(default_factory=list)
    received: set[str] = field(default_factory=set)
    """Users and devices that have an event with the time of receipt."""

    @property
    def user(self) -> str:
        """Return the first user."""
        return next(iter(self.users))

    @property
    def devices(self) -> list[str]:
        """Return the devices that are held at the beginning."""
        return [held.device for held in self.holds]


class DrillWorkload:
    """The messages to publish, in order and with duplicates, and the households they concern."""

    def __init__(self, seed: int) -> None:
        self.chance = seeded(seed, "workload")
        self.households: list[Household] = []
        self.messages: list[DrillMessage] = []
        self.rejected: dict[str, FailureOutcome] = {}
        """The events that can never be applied."""
        self.refused_payers: set[str] = set()
        """Users without a row whose failed payment is counted nevertheless."""

    @property
    def distinct(self) -> int:
        """Return the number of distinct events."""
        return sum(len(home.events) for home in self.households) + len(self.rejected)

    @property
    def valid(self) -> frozenset[str]:
        """Return the keys of the events that can be applied."""
        return frozenset(event.key for home in self.households for event in home.events)

    @property
    def replayable(self) -> frozenset[str]:
        """Return the keys of the events that must not stay among the dead letters."""
        loggable = {key for key, end in self.rejected.items() if end is FailureOutcome.LOGGED}
        return self.valid | loggable

    def household(
        self, holds: int, *, status: str = "active", hold: bool = False, sized: bool = False
    ) -> Household:
        """Add a user who holds so many devices; ``sized`` ones suit only those who wait here."""
        number = len(self.households)
        home = Household(number, identified=self.chance.random() >= _WITHOUT_ID)
        user = f"u{number}"
        home.users[user] = (status, hold, 10)
        if sized:
            home.cores = 100 + number
        for index in range(holds):
            home.holds[Held(f"{number:08d}-{index}", f"d{number}-{index}")] = user
        self.households.append(home)
        return home

    def waiter(self, home: Household) -> str:
        """Add a user who waits for a device of this household, behind the others."""
        position = len(home.waits)
        user = f"u{home.number}w{position}"
        home.users[user] = ("active", False, 10)
        home.waits[f"waiting-{home.number:08d}-{position}"] = user
        return user

    def event(self, home: Household, event_type: str, subject: str, **fields: object) -> None:
        """Add a valid event about a user or a device."""
        self.events(1, home, event_type, subject, **fields)

    def events(
        self, count: int, home: Household, event_type: str, subject: str, **fields: object
    ) -> None:
        """Add valid events that are equal unless they have ids."""
        at, stamp = self._stamp(receivable=subject not in home.received)
        if at == RECEIPT:
            home.received.add(subject)
        named = {("deviceId" if event_type.startswith("device") else "userId"): subject}
        if "reason" in SMALLEST[event_type]:
            named["reason"] = f"because of {subject}"
        body = SMALLEST[event_type] | named | fields | stamp
        for _ in range(count):
            message = self._publish(event_type, body, subject, identified=home.identified)
            id_ = message.key if home.identified else _content_id(message.body)
            home.events.append(DrillEvent(message.key, id_, event_type, subject, at, body))

    def malformed(self) -> None:
        """Add a message that is invalid for its contract."""
        event_type = self.chance.choice(WORK_QUEUES).event_type
        body = self.chance.choice((b"{oops", b"\xff\xfe", b"[1, 2]", b"{}"))
        key = self._publish(event_type, body, "nobody").key
        self.rejected[key] = FailureOutcome.DEAD_LETTER

    def failing(self) -> None:
        """Add an event whose SQL statement always fails."""
        event_type = self.chance.choice(WORK_QUEUES).event_type
        subject = f"{REFUSED}{len(self.messages)}"
        named = {("deviceId" if event_type.startswith("device") else "userId"): subject}
        key = self._publish(event_type, SMALLEST[event_type] | named, subject).key
        informational = event_type in _INFORMATIONAL
        self.rejected[key] = FailureOutcome.LOGGED if informational else FailureOutcome.DEAD_LETTER
        if event_type.startswith("billing.pay") or event_type == "billing.recharged":
            self.refused_payers.add(subject)

    def _stamp(self, *, receivable: bool) -> tuple[int, dict[str, str]]:
        """Draw a time: as the model sees it, and as the body has it."""
        drawn = self.chance.random()
        if receivable and drawn < _WITHOUT_TIME:
            return RECEIPT, {}
        if receivable and drawn < _WITHOUT_TIME + _CLOCK_AHEAD:
            return RECEIPT, {"timestamp": _AHEAD}
        whole = self.chance.random() < _WHOLE_SECONDS
        step = timedelta(seconds=1) if whole else timedelta(milliseconds=1)
        after = self.chance.randrange(SPREAD // step) * step
        text = (HAPPENED + after).isoformat(timespec="seconds" if whole else "milliseconds")
        return after // timedelta(microseconds=1), {"timestamp": text}

    def _publish(
        self,
        event_type: str,
        body: dict[str, Any] | bytes,
        subject: str,
        *,
        identified: bool = True,
    ) -> DrillMessage:
        key = f"e{len(self.messages)}"
        in_body = isinstance(body, dict) and self.chance.random() < _ID_IN_BODY
        if isinstance(body, dict):
            body = json.dumps(body | ({"eventId": key} if identified and in_body else {})).encode()
        message_id = key if identified and not in_body else None
        shard_key = subject if self.chance.random() >= _WITHOUT_SHARD_KEY else None
        message = DrillMessage(key, event_type, body, message_id, identified, subject, shard_key)
        self.messages.append(message)
        return message


def _content_id(body: bytes) -> str:
    canonical = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"))
    return f"content:{hashlib.sha256(canonical.encode()).hexdigest()}"
