"""What the code says about each event: meaning, effect, fields, and who is notified."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from billing_events.rules import billing_rules
from device_events.rules import events as device_rules
from events.bodies import FULLEST, SMALLEST
from scheduler.domain.model import Allocation, Device, DeviceStatus, Quota, User
from scheduler.domain.state import Snapshot
from scheduler.domain.work import Work
from scheduler.messaging.message import Message
from scheduler.messaging.topology import WORK_QUEUES
from scheduler.messaging.validate import parse
from user_events.rules import events as user_rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import BaseModel

    from scheduler.domain.notices import NoticeKind
    from scheduler.messaging.contract import Event
    from scheduler.messaging.topology import WorkQueue
    from scheduler.pipeline.event_rules import EventRules, Handling

_NOW: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
_IDS: Final = {"deviceId": "device-001", "userId": "user-123"}
_HELD_DEVICES: Final = 9
_THRESHOLD: Final = 3
_KEY: Final = "message"
_RULES: Final[Mapping[str, EventRules]] = {
    "device": device_rules,
    "user": user_rules,
    "billing": billing_rules(_THRESHOLD),
}


@dataclass(frozen=True, slots=True)
class DocumentedEvent:
    """An event that is consumed.

    ``meaning`` is what happened, ``effect`` what the scheduler does about it; ``notifies`` are the
    notifications that it may cause.
    """

    queue: WorkQueue
    contract: type[Event]
    meaning: str
    effect: str
    smallest: dict[str, Any]
    fullest: dict[str, Any]
    notifies: tuple[NoticeKind, ...]

    @property
    def type(self) -> str:
        """Return the event type, which is the routing key."""
        return self.queue.event_type


def documented_events() -> tuple[DocumentedEvent, ...]:
    """Return all events that are consumed.

    Raises:
        LookupError: an event has no rule.
    """
    return tuple(map(_documented, WORK_QUEUES))


def field_meanings(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstrings below a model's fields, by the name of the field."""
    found: dict[str, str] = {}
    for class_ in reversed(model.__mro__):
        if class_.__module__.startswith("pydantic") or class_ is object:
            continue
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(class_))).body
        if isinstance(body, ast.ClassDef):
            found |= dict(_attribute_docstrings(body))
    return {name: text for name, text in found.items() if name in model.model_fields}


def plain(docstring: str | None) -> str:
    """Return a docstring as one paragraph of Markdown."""
    return " ".join(inspect.cleandoc(docstring or "").replace("``", "`").split())


def _documented(queue: WorkQueue) -> DocumentedEvent:
    handling = _RULES[queue.family].of_queue(queue.name)
    if handling is None:
        file = f"functions/{queue.family}_events/rules.py"
        raise LookupError(f"{queue.event_type} has no rule: add one to {file}")
    smallest, fullest = (_with_ids(bodies[queue.event_type]) for bodies in (SMALLEST, FULLEST))
    return DocumentedEvent(
        queue=queue,
        contract=handling.contract,
        meaning=plain(handling.contract.__doc__),
        effect=plain(handling.rule.__doc__),
        smallest=smallest,
        fullest=fullest,
        notifies=tuple(dict.fromkeys(_notices(handling, fullest))),
    )


def _with_ids(body: dict[str, Any]) -> dict[str, Any]:
    return {name: _IDS.get(name, value) for name, value in body.items()}


def _notices(handling: Handling, body: dict[str, Any]) -> Iterator[NoticeKind]:
    """Apply the rule to a user who holds devices; a payment fails for the first and last time."""
    raw = json.dumps(body).encode()
    event = parse(Message("", raw, {}), handling.contract, _NOW).event
    for failures in (1, _THRESHOLD):
        work = Work(_world(), _NOW, Quota(_HELD_DEVICES), {_KEY: failures})
        work.begin(_KEY)
        handling.rule(event, work)
        yield from (notice.kind for notice in work.notices.values())


def _world() -> Snapshot:
    user = User(_IDS["userId"], Quota(_HELD_DEVICES))
    snapshot = Snapshot(users={user.id: user})
    for number in range(1, _HELD_DEVICES + 1):
        device = Device(f"device-{number:03}", status=DeviceStatus.ALLOCATED)
        snapshot.devices[device.id] = device
        allocation = Allocation(f"allocation-{number}", user.id, device.id, _NOW)
        snapshot.allocations[allocation.id] = allocation
    return snapshot


def _attribute_docstrings(body: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for statement, below in zip(body.body, body.body[1:], strict=False):
        match statement, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str() as text)),
            ):
                yield name, plain(text)
