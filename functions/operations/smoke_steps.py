"""The steps of a smoke run: what each does, and how to tell that it had its effect."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from operations.dead_letters import calls
from operations.dead_letters.arguments import EditArguments, ReplayArguments
from operations.dead_letters.edit import edit
from operations.dead_letters.reading import opened
from operations.publishing import publish_event
from scheduler.database import canaries, lookups
from scheduler.database.unapplied_messages import UnappliedOutcome
from scheduler.domain.model import CANARY_PREFIX, Health, UserStatus, canary_allocation
from scheduler.domain.notices import NoticeKind
from scheduler.messaging.message import FAIL_UNTIL_HEADER, to_milliseconds
from scheduler.messaging.topology import WorkQueue

if TYPE_CHECKING:
    from collections.abc import Callable

    from operations.context import OperationContext

_LEFT_BEHIND: Final = timedelta(minutes=15)
"""Letters of other runs that failed longer ago than this belong to runs that were killed."""
_FAILS_FOR: Final = timedelta(seconds=20)
"""Less than `MAX_FAILING`, because the function's clock may be behind."""
_CLOCKS: Final = timedelta(minutes=1)
"""How far the clocks of functions and operators may differ."""
_CREATED, _FAILED, _DELETED = "device.created", "device.failed", "device.deleted"
_ACTIVATED, _USER_DELETED, _PAID = "user.activated", "user.deleted", "billing.payment_success"
_CHANGED: Final = "device.status_changed"
_MAINTENANCE: Final = "device.maintenance"
_EDITED: Final = "edited"


class CheckFailedError(Exception):
    """A check failed, and waiting longer does not help."""


@dataclass(frozen=True, slots=True)
class Canary:
    """The device and the user of one run; everything that the run publishes is named after them."""

    context: OperationContext
    run: str

    @property
    def id(self) -> str:
        """Return the id of the device, which is also that of the user."""
        return CANARY_PREFIX + self.run

    def message_id(self, name: str) -> str:
        """Return the id of the message of an event or of a step."""
        return f"{self.id}.{name}"

    def publish(
        self, event_type: str, headers: dict[str, Any] | None = None, **fields: object
    ) -> None:
        """Publish an event about the canary."""
        now = datetime.now(UTC)
        subject = "deviceId" if event_type.startswith("device.") else "userId"
        body = json.dumps({subject: self.id, "timestamp": now.isoformat(), **fields}).encode()
        ids, url = [self.message_id(event_type)], self.context.broker_url()
        publish_event(url, event_type, body, ids, now, headers=headers)

    def fail_once(self) -> None:
        """Publish an event that fails its batch unless it is redelivered, and changes nothing."""
        until = to_milliseconds(datetime.now(UTC) + _FAILS_FOR)
        headers = {FAIL_UNTIL_HEADER: until}
        self.publish(_CHANGED, headers, oldStatus="canary", newStatus="canary")

    def applied(self, event_type: str, name: str = "") -> bool:
        """Return whether an event was applied.

        Raises:
            CheckFailedError: it became a dead letter, or was given up.
        """
        queue, message_id = WorkQueue(event_type).name, self.message_id(name or event_type)
        with self.context.transaction() as cursor:
            if canaries.is_applied(cursor, queue, message_id):
                return True
            problem = canaries.find_unapplied(cursor, queue, message_id)
        final = (UnappliedOutcome.DEAD_LETTERED, UnappliedOutcome.GIVEN_UP)
        if problem and problem.outcome in final:
            raise CheckFailedError(f"{problem.outcome}: {problem.error}")
        return False

    def dead_lettered(self, times: int) -> bool:
        """Return whether the invalid message has become a dead letter so often."""
        queue, message_id = WorkQueue(_MAINTENANCE).name, self.message_id(_MAINTENANCE)
        with self.context.transaction() as cursor:
            found = canaries.find_unapplied(cursor, queue, message_id)
        return found is not None and found.times >= times

    def allocation(self) -> tuple[str, str | None]:
        """Return the status of the canary's allocation and the code of its release."""
        with self.context.transaction() as cursor:
            return canaries.find_allocation(cursor, canary_allocation(self.id)) or ("", None)

    def notified(self) -> bool:
        """Return whether the notification of the release has no pending delivery."""
        with self.context.transaction() as cursor:
            found = canaries.deliveries(cursor, self.id, NoticeKind.DEVICE_RELEASED.type)
        if failed := [error for status, error in found if status == "failed"]:
            raise CheckFailedError(f"failed: {failed[0]}")
        return bool(found) and all(status != "pending" for status, _ in found)

    def published(self) -> bool:
        """Return whether the broker has confirmed the event of the release."""
        with self.context.transaction() as cursor:
            return canaries.is_published(cursor, canary_allocation(self.id), "device.released")

    def replay(self) -> None:
        """Replay the letter.

        Raises:
            CheckFailedError: it is not in the dead-letter queue.
        """
        ids = frozenset((self.message_id(_MAINTENANCE),))
        until = datetime.now(UTC) + _CLOCKS
        if not calls.replay(self.context, ReplayArguments(ids=ids, until=until))["replayed"]:
            raise CheckFailedError("the letter is not in the queue scheduler.dead-letters")

    def edit(self) -> None:
        """Replay the letter with a valid body.

        Raises:
            CheckFailedError: it is not in the dead-letter queue, or has not counted its replay.
        """
        with opened(self.context) as queue:
            found = [
                one.letter.fingerprint.hex()
                for one in queue.letters()
                if one.letter.id == self.message_id(_MAINTENANCE) and one.letter.replays == 1
            ]
        if not found:
            raise CheckFailedError("the letter is not in the queue, or x-replays is not 1")
        now = datetime.now(UTC).isoformat()
        body = {"deviceId": self.id, "maintenanceType": "canary", "timestamp": now}
        valid = EditArguments.model_validate(
            {
                "fingerprint": found[0],
                "body": json.dumps(body),
                "newId": self.message_id(_EDITED),
            }
        )
        edit(self.context, valid)

    def remove_letters(self) -> None:
        """Remove the letters of this run, and those of runs that were killed."""
        before = datetime.now(UTC) - _LEFT_BEHIND
        with opened(self.context) as queue:
            for one in queue.letters():
                id_, failed_at = one.letter.id, one.letter.failed_at
                old = failed_at is not None and failed_at < before
                if id_.startswith(self.id) or (old and id_.startswith(CANARY_PREFIX)):
                    one.remove()

    def is_deleted(self) -> bool:
        """Return whether device and user are deleted, or were never created."""
        with self.context.transaction() as cursor:
            device = lookups.find_device(cursor, self.id)
            user = lookups.find_user(cursor, self.id)
        return (device is None or device.health == Health.DELETED) and (
            user is None or user[0].status == UserStatus.DELETED
        )


class Step(NamedTuple):
    """A check: ``act`` causes something, ``holds`` tells whether it has happened.

    Attributes:
        function: whose log has the details if it does not happen.
        thorough: left out of a gentle run, because it causes what alarms watch.
        cleans: done even if a check before failed.
    """

    name: str
    function: str
    act: Callable[[Canary], None]
    holds: Callable[[Canary], bool]
    thorough: bool = False
    cleans: bool = False


def _publish_deletions(canary: Canary) -> None:
    canary.publish(_DELETED)
    canary.publish(_USER_DELETED)


STEPS: Final = (
    Step(
        f"{_CREATED} creates the canary and gives it to its user",
        "device-events",
        lambda canary: canary.publish(_CREATED, name="canary"),
        lambda canary: canary.allocation()[0] == "ALLOCATED",
    ),
    Step(
        f"{_ACTIVATED} is applied",
        "user-events",
        lambda canary: canary.publish(_ACTIVATED),
        lambda canary: canary.applied(_ACTIVATED),
    ),
    Step(
        f"{_PAID} is applied, and resets the count in DynamoDB",
        "billing-events",
        lambda canary: canary.publish(_PAID, amount=1, newBalance=1),
        lambda canary: canary.applied(_PAID),
    ),
    Step(
        "a failed batch is redelivered with redelivered: true",
        "device-events",
        Canary.fail_once,
        lambda canary: canary.applied(_CHANGED),
        thorough=True,
    ),
    Step(
        f"{_FAILED} releases the canary",
        "device-events",
        lambda canary: canary.publish(_FAILED, reason="canary"),
        lambda canary: canary.allocation() == ("RELEASED", "device_failed"),
    ),
    Step(
        "the notification is dispatched",
        "notification-dispatch",
        lambda canary: None,  # noqa: ARG005 - the release has caused it
        Canary.notified,
    ),
    Step(
        "device.released is published for other services",
        "notification-dispatch",
        lambda canary: None,  # noqa: ARG005 - as above
        Canary.published,
    ),
    Step(
        "an invalid message becomes a dead letter",
        "device-events",
        lambda canary: canary.publish(_MAINTENANCE),
        lambda canary: canary.dead_lettered(1),
        thorough=True,
    ),
    Step(
        "its replay is processed, and fails again",
        "device-events",
        Canary.replay,
        lambda canary: canary.dead_lettered(2),
        thorough=True,
    ),
    Step(
        "its edited copy is applied",
        "device-events",
        Canary.edit,
        lambda canary: canary.applied(_MAINTENANCE, _EDITED),
        thorough=True,
    ),
    Step(
        "its letters are removed",
        "operations",
        Canary.remove_letters,
        lambda canary: True,  # noqa: ARG005 - removing waits for the broker
        thorough=True,
        cleans=True,
    ),
    Step(
        "device.deleted and user.deleted are applied",
        "user-events",
        _publish_deletions,
        Canary.is_deleted,
        cleans=True,
    ),
)
