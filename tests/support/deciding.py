"""Runs the rules of a family on a world without any I/O, as the pipeline does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from billing_events.rules import billing_rules
from device_events.rules import events as device_rules
from scheduler.domain.model import Quota
from scheduler.domain.state import Snapshot
from scheduler.domain.work import Work
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME, WORK_QUEUES
from scheduler.messaging.validate import parse
from scheduler.notification import catalogue
from scheduler.notification.render import render
from scheduler.payments.ledger import Counted, PaymentLedger
from scheduler.pipeline.decide import decide, is_outdated
from scheduler.pipeline.outcome import EFFECTIVE
from tests.support.counter import FakeCounter
from tests.support.world import NOW
from user_events.rules import events as user_rules

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.messaging.message import Message
    from scheduler.messaging.validate import Parsed
    from scheduler.pipeline.event_rules import EventRules, Handling
    from scheduler.pipeline.outcome import Outcome, Verdict

THRESHOLD: Final = 3
"""How many failed payments stop the service."""

FAMILIES: Final = {
    "device": device_rules,
    "user": user_rules,
    "billing": billing_rules(THRESHOLD),
}
QUOTA: Final = Quota(10)
"""The quota of a user without a row."""


class Told(NamedTuple):
    """A notification: who, what, by which channels, in which words."""

    user_id: str
    type: str
    channels: tuple[str, ...]
    message: str


@dataclass(slots=True)
class Decided:
    """What the rules made of some messages."""

    work: Work
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def verdicts(self) -> list[Verdict]:
        """Return the verdict on each message, in order."""
        return [outcome.verdict for outcome in self.outcomes]

    @property
    def released(self) -> dict[str, str]:
        """Return the devices taken back, in order, each with its reason as stored."""
        return {
            release.allocation.device_id: catalogue.reason_text(release.reason)
            for release in self.work.releases.values()
        }

    @property
    def told(self) -> list[Told]:
        """Return the notifications, in the language of their users."""
        return [
            Told(
                notice.user_id,
                notice.kind.type,
                tuple(notice.kind.channels),
                render(notice, self.work.user(notice.user_id).locale).message,
            )
            for notice in self.work.notices.values()
        ]

    @property
    def told_but_releases(self) -> list[Told]:
        """Return the notifications that are not about a single device."""
        return [told for told in self.told if told.type != "device_released"]


def rules_of(queue: str) -> EventRules:
    """Return the rules of the family that a queue belongs to."""
    return FAMILIES[WORK_QUEUE_BY_NAME[queue].family]


def handling_of(queue: str) -> Handling:
    """Return contract and rule of a queue."""
    handling = rules_of(queue).of_queue(queue)
    family = WORK_QUEUE_BY_NAME[queue].family
    assert handling, f"{queue} has no rule: add one to functions/{family}_events/rules.py"
    return handling


def parsed(message: Message, now: datetime = NOW) -> Parsed:
    """Return the event in a valid message."""
    return parse(message, handling_of(message.queue).contract, now)


def run(
    *messages: Message,
    on: Snapshot | None = None,
    now: datetime = NOW,
    counter: FakeCounter | None = None,
) -> Decided:
    """Let the rules decide on messages of any queues, one after the other, on one world."""
    snapshot = on or Snapshot()
    events = [_identified(parsed(message, now), n) for n, message in enumerate(messages)]
    counted = _counted(events, Work(snapshot, now, QUOTA), counter)
    decided = Decided(Work(snapshot, now, QUOTA, counted.counts | counted.left))
    known: dict[str, dict[str, bytes]] = {queue.name: {} for queue in WORK_QUEUES}
    for event in events:
        queue = event.message.queue
        outcomes = decide([event], decided.work, handling_of(queue), known[queue], counted)
        if outcomes[0].verdict in EFFECTIVE:
            known[queue][event.identity.id] = event.identity.sha256
        decided.outcomes += outcomes
    return decided


def _identified(one: Parsed, number: int) -> Parsed:
    """Give a message without an id one of its own, as the pipeline does at its first delivery."""
    unnamed = not one.identity.id
    return one._replace(identity=one.identity._replace(id=f"n-{number}")) if unnamed else one


def _counted(events: list[Parsed], before: Work, counter: FakeCounter | None) -> Counted:
    paying = [one for one in events if one.event.payment and not is_outdated(one.event, before)]
    if not paying:
        return Counted()
    return PaymentLedger(counter or FakeCounter()).apply(paying, before.now)
