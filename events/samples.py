"""Sample batches of Amazon MQ events, and one valid sample of each event type."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_DNS, uuid5

from pika import BasicProperties

from events.bodies import FULLEST
from events.lists import contract_of
from scheduler.messaging.topology import WORK_QUEUES

if TYPE_CHECKING:
    from scheduler.messaging.topology import WorkQueue

QUEUE_OF: Final = {queue.event_type: queue.name for queue in WORK_QUEUES}
PERSISTENT: Final = 2
"""The delivery mode of messages that survive a restart of the broker."""


@dataclass(frozen=True, slots=True)
class SampleMessage:
    """A message as its publisher sent it, and its queue."""

    queue: str
    body: bytes
    properties: BasicProperties


@dataclass(frozen=True, slots=True)
class Sample:
    """The content of one sample file.

    Attributes:
        name: the name of the file without its extension.
        meaning: a sentence for the README.
        dead_letters: how many of the messages become dead letters; the others succeed.
    """

    name: str
    meaning: str
    queues: tuple[str, ...]
    messages: tuple[SampleMessage, ...]
    dead_letters: int = 0

    @property
    def family(self) -> str:
        """Return the family of the function that receives the sample: device, user or billing."""
        return self.queues[0].removeprefix("scheduler.").partition("-")[0]


def sample(name: str, meaning: str, *messages: SampleMessage, dead_letters: int = 0) -> Sample:
    """Return a sample of one or more messages."""
    queues = tuple(dict.fromkeys(message.queue for message in messages))
    return Sample(name, meaning, queues, messages, dead_letters)


def message(
    event_type: str, body: bytes | dict[str, Any], properties: BasicProperties | None = None
) -> SampleMessage:
    """Return a message in the queue of its event; by default with the usual properties."""
    raw = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return SampleMessage(QUEUE_OF[event_type], raw, properties or usual_properties(event_type, raw))


def usual_properties(event_type: str, body: bytes) -> BasicProperties:
    """Return the properties that other services set; ids depend on the body, so they are stable."""
    return BasicProperties(
        content_type="application/json",
        content_encoding="utf-8",
        delivery_mode=PERSISTENT,
        correlation_id=_uuid("request", body),
        message_id=_uuid("message", body),
        type=event_type,
        app_id=f"{event_type.partition('.')[0]}-service",
    )


def _uuid(what: str, body: bytes) -> str:
    return str(uuid5(NAMESPACE_DNS, f"{what} {body.hex()}"))


_DEMO_IDS: Final = {"deviceId": "device-001", "userId": "user-123"}

# Without `timestamp`, an event occurs when it is received. An event only affects older allocations,
# so with a fixed timestamp it would affect none.
_VALID: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "device.failed": ("A device failed. Its allocation is released with this reason.", {}),
    "device.deleted": (
        "A device was deleted. Its allocations are released.",
        {"deviceId": "device-002"},
    ),
    "device.status_changed": (
        "A running device changed to an error status. Its allocation is released.",
        {"deviceId": "device-003", "newStatus": "error"},
    ),
    "device.maintenance": (
        "A device is in maintenance for 30 minutes. Its allocation is released.",
        {"deviceId": "device-004"},
    ),
    "device.created": (
        "A new device is added to the pool.",
        {"deviceId": "device-021", "name": "Cloud phone 21"},
    ),
    "user.deleted": (
        "An account was deleted. All its devices are released and its contact data is erased.",
        {"userId": "user-456"},
    ),
    "user.suspended": (
        "An account was suspended. Its devices are released, and it cannot allocate any.",
        {},
    ),
    "user.quota_updated": (
        "The quota was reduced from 8 to 5 devices. A user with eight loses the oldest three.",
        {},
    ),
    "user.quota_exceeded": (
        "A user has more devices than allowed. The oldest are released until one is left.",
        {"current": 3},
    ),
    "user.activated": ("A suspended account may allocate devices again.", {}),
    "billing.payment_failed": (
        "A payment failed. The user is warned; the third failure suspends the service.",
        {},
    ),
    "billing.balance_low": ("The balance is low. The user is notified.", {}),
    "billing.overdue": (
        "A bill is seven days overdue. All devices are released and billing hold is set.",
        {},
    ),
    "billing.payment_success": (
        "A payment succeeded. The failure count is reset and billing hold ends.",
        {},
    ),
    "billing.recharged": (
        "The balance was topped up, with the same effect as a successful payment.",
        {},
    ),
}
"""The meaning of each sample, and the fields that differ from the fullest body with `_DEMO_IDS`.

The meaning of an event that is not listed is the docstring of its contract.
"""


def _valid(queue: WorkQueue) -> Sample:
    documented = inspect.getdoc(contract_of(queue)) or queue.event_type
    meaning, fields = _VALID.get(queue.event_type, (documented.partition("\n")[0], {}))
    body = FULLEST[queue.event_type]
    ids = {name: id_ for name, id_ in _DEMO_IDS.items() if name in body}
    name = queue.name.removeprefix("scheduler.")
    return sample(name, meaning, message(queue.event_type, body | ids | fields))


VALID: Final = tuple(map(_valid, WORK_QUEUES))
