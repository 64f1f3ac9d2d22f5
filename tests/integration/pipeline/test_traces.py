"""What is stored about a message for the timeline of its user or device."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.events import encoded, message, mq_event
from tests.support.world import MINUTE, NOW, held, world

if TYPE_CHECKING:
    from scheduler.messaging.message import Message
    from tests.support.functions import Functions
    from tests.support.queues import Queues
    from tests.support.store import Store

TRACEPARENT: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNAPPLIED: Final = (
    "SELECT message_id, outcome, aggregate, subject_id, times FROM unapplied_messages"
    " ORDER BY message_id, outcome"
)


def traced(event_type: str, **fields: Any) -> Message:  # noqa: ANN401 - any field
    one = message(event_type, headers={"traceparent": TRACEPARENT}, **fields)
    followed = {"correlation_id": "c-1", "app_id": "monitor"}
    return one._replace(properties={**one.properties, **followed})


def test_trace_of_a_message_is_stored_with_everything_that_it_caused(
    store: Store, functions: Functions
) -> None:
    store.seed(world(held("d1")))

    functions.handle(traced("device.failed", id="m-1"))

    caused = "SELECT caused_by, correlation_id, traceparent, allocation_id FROM"
    effect = ("event:scheduler.device-failed:m-1", "c-1", TRACEPARENT, "allocation-of-d1")
    assert store.rows(f"{caused} notifications") == [effect]
    assert store.rows(f"{caused} outgoing_events") == [effect]
    assert store.rows(
        "SELECT outcome, aggregate, subject_id, correlation_id, publisher FROM processed_messages"
    ) == [("applied", "device", "d1", "c-1", "monitor")]


def test_outdated_message_is_stored_as_outdated(store: Store, functions: Functions) -> None:
    functions.handle(message("user.suspended", userId="u1"))
    functions.handle(message("user.activated", userId="u1", id="late", at=NOW - MINUTE))

    outcome = "SELECT outcome FROM processed_messages WHERE message_id = 'late'"
    assert store.rows(outcome) == [("outdated",)]


def test_duplicates_of_a_message_are_counted_in_one_row(store: Store, functions: Functions) -> None:
    one = message("user.suspended", id="m-1", userId="u1")

    functions.handle(one, one)
    functions.handle(one)

    assert store.rows(UNAPPLIED) == [("m-1", "duplicate", "user", "u1", 2)]


def test_dead_letter_is_noted_for_the_user_that_its_body_names(
    store: Store, connected: Functions, queues: Queues
) -> None:
    bad = {"userId": "u1", "version": "not a number"}
    connected.handle(message("user.suspended", id="m-1", body=encoded(bad)))
    connected.handle(message("user.suspended", id="m-2", body=b"{"))

    assert len(queues.take()) == 2
    assert store.rows(UNAPPLIED) == [
        ("m-1", "dead_lettered", "user", "u1", 1),
        ("m-2", "dead_lettered", "user", None, 1),
    ]


@pytest.mark.parametrize("named", [7, "", "x" * 65, "\ud800"])
def test_unusable_subject_of_an_invalid_body_is_not_stored(
    named: object, store: Store, connected: Functions, queues: Queues
) -> None:
    body = json.dumps({"userId": named, "version": "x"}).encode()
    connected.handle(message("user.suspended", id="m-1", body=body))

    assert len(queues.take()) == 1
    assert [row.subject_id for row in store.rows(UNAPPLIED)] in ([None], ["�"])


def test_publisher_of_a_retried_message_is_the_user_of_the_first_publish(
    store: Store, connected: Functions, queues: Queues
) -> None:
    event = mq_event(message("device.failed", id="m-1", body=b"{"))
    (record,) = event["rmqMessagesByQueue"]["scheduler.device-failed::cloudphone"]
    record["basicProperties"]["userId"] = "monitor"

    connected.invoke("device", event)

    (letter,) = queues.take()
    assert letter.headers["x-published-by"] == "monitor"
    assert store.rows("SELECT publisher FROM unapplied_messages") == [("monitor",)]


@pytest.mark.parametrize(
    "header", ["", "00-0-0-01", TRACEPARENT.upper(), TRACEPARENT + "-more", 7, None]
)
def test_malformed_traceparent_is_ignored(
    header: object, store: Store, functions: Functions
) -> None:
    store.seed(world(held("d1")))

    functions.handle(message("device.failed", headers={"traceparent": header}))

    assert store.rows("SELECT traceparent FROM notifications") == [(None,)]
