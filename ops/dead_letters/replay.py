"""Sends dead letters back to work.

A letter is removed only after the broker has confirmed its copy, so a run that is killed may leave
some twice and none nowhere. The copy keeps its id: a second one has no second effect.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ops.dead_letters.letter import FAILURE_HEADERS, REPLAYS_HEADER, DeadLetter
from scheduler.messaging.publisher import Outbound
from scheduler.messaging.record import is_the_brokers
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ops.dead_letters.queue import Taken

MOST_REPLAYS: Final = 3
"""A letter that failed after so many replays will fail again until something is repaired."""

# Left out on purpose, as on every hop: expiration (it must not expire), user_id (the broker refuses
# any but the publisher's own), cluster_id and delivery_mode (set by whoever publishes).
_KEPT: Final = (
    "content_type",
    "content_encoding",
    "priority",
    "correlation_id",
    "reply_to",
    "message_id",
    "timestamp",
    "type",
    "app_id",
)


@dataclass(slots=True)
class Account:
    """How many letters were replayed, and how many were not, by reason."""

    replayed: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def replay(
    letters: Iterable[Taken],
    publish: Callable[[Outbound], None],
    account: Account,
    *,
    force: bool = False,
) -> None:
    """Publish each letter to its work queue, then remove it.

    Args:
        letters: the letters; they must not contain what this call publishes and fails again.
        publish: returns when the broker has confirmed a message, else raises.
        account: is kept up to date, also when ``publish`` raises.
        force: replay also what was replayed `MOST_REPLAYS` times.
    """
    for one in letters:
        if refusal := _refusal(one.letter, force=force):
            account.refused[refusal] += 1
            continue
        publish(back_to_work(one.letter))
        one.remove()
        account.replayed += 1


def back_to_work(letter: DeadLetter) -> Outbound:
    """Return a letter as it was published first, for its work queue, with its replays counted."""
    headers = {
        name: value
        for name, value in letter.headers.items()
        if name not in FAILURE_HEADERS and not is_the_brokers(name)
    }
    given = {name: getattr(letter.properties, name) for name in _KEPT}
    properties = {name: value for name, value in given.items() if value is not None}
    properties["headers"] = {**headers, REPLAYS_HEADER: letter.replays + 1}
    return Outbound("", letter.source_queue, letter.body, properties)


def _refusal(letter: DeadLetter, *, force: bool) -> str:
    if letter.source_queue not in WORK_QUEUE_BY_NAME:
        return f"{letter.source_queue} is no work queue (discard keeps a copy)"
    if letter.replays >= MOST_REPLAYS and not force:
        return f"replayed {MOST_REPLAYS} times already (--force replays them again)"
    return ""
