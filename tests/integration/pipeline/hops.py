"""Consumes messages that a function or an operator has put into a queue."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local.event_source_mapping.record import record_json
from scheduler.messaging.record import Undecodable, decode
from scheduler.messaging.topology import VHOST, WORK_QUEUE_BY_NAME

if TYPE_CHECKING:
    from scheduler.messaging.message import Message
    from tests.support.functions import Functions
    from tests.support.queues import Queues


def consume(functions: Functions, queues: Queues, queue: str) -> dict[str, int]:
    """Invoke the function of a work queue with all messages of the queue."""
    return _consume(functions, queues, queue, queue)


def consume_retries(functions: Functions, queues: Queues, queue: str) -> dict[str, int]:
    """Invoke the function of a work queue with what waits in its retry queue."""
    return _consume(functions, queues, queue, f"{queue}.retry")


def consume_retries_apart(functions: Functions, queues: Queues, queue: str) -> None:
    """Invoke the function with one message of its retry queue at a time."""
    for record in _records(queues, f"{queue}.retry"):
        _invoke(functions, queue, [record])


def retries(queues: Queues, queue: str) -> list[Message]:
    """Take what waits in the retry queue of a work queue, as messages."""
    event = {"rmqMessagesByQueue": {f"{queue}::{VHOST}": _records(queues, f"{queue}.retry")}}
    ((_, found),) = decode(event)
    return [one for one in found if not isinstance(one, Undecodable)]


def _consume(functions: Functions, queues: Queues, queue: str, source: str) -> dict[str, int]:
    return _invoke(functions, queue, _records(queues, source))


def _records(queues: Queues, source: str) -> list[dict[str, Any]]:
    return [
        json.loads(record_json(found.properties, found.body, redelivered=False))
        for found in queues.take(source)
    ]


def _invoke(functions: Functions, queue: str, records: list[dict[str, Any]]) -> dict[str, int]:
    event = {"rmqMessagesByQueue": {f"{queue}::{VHOST}": records}}
    return functions.invoke(WORK_QUEUE_BY_NAME[queue].family, event)
