"""Messages that no rule can process become dead letters with the reason."""

from datetime import UTC, datetime

import pytest

from tests.support.events import encoded, message, mq_event
from tests.support.functions import Functions
from tests.support.queues import Queues
from tests.support.store import Store
from tests.support.world import NOW, held, world

HUGE = "9" * 30


def test_invalid_informational_body_is_a_dead_letter(
    store: Store, connected: Functions, queues: Queues
) -> None:
    assert connected.handle(message("billing.balance_low", body=b"{}")) == {"invalid": 1}

    (letter,) = queues.take()
    assert letter.headers["x-error"] == (
        "userId: Field required; currentBalance: Field required; threshold: Field required"
    )
    assert store.state()["processed"] == []


def test_dead_letter_keeps_the_publishers_properties_and_has_the_error(
    connected: Functions, queues: Queues
) -> None:
    headers = {
        "trace": "设备",
        "hops": ["a", {"zone": "b", "n": 2**40}],
        "raw": b"\xff\x00",
        "sampled": True,
        "nothing": None,
        "x-attempt": 2,
    }
    sent = message("device.failed", id="m-1", body=b"{", headers=headers)
    event = mq_event(sent)
    (record,) = event["rmqMessagesByQueue"]["scheduler.device-failed::cloudphone"]
    record["basicProperties"] |= {
        "correlationId": "c-1",
        "priority": 5,
        "replyTo": "somebody",
        "type": "device.failed",
        "appId": "device-service",
        "expiration": "60000",
        "userId": "device-service",
        "timestamp": "Nov 3, 2025, 12:30:07 AM",
    }
    record["basicProperties"]["headers"] |= {"x-death": [{"count": 3}], "x-delivery-count": 7}

    connected.invoke("device", event)

    (letter,) = queues.take()
    properties = letter.properties
    assert letter.headers == headers | {
        "x-error": "body is not JSON: EOF while parsing an object at line 1 column 1",
        "x-failed-at": NOW.isoformat(),
        "x-first-failed-at": NOW.isoformat(),
        "x-published-by": "device-service",
        "x-received-at": int(NOW.timestamp() * 1000),
        "x-source-queue": "scheduler.device-failed",
    }
    assert (properties.message_id, properties.correlation_id) == ("m-1", "c-1")
    assert (properties.priority, properties.reply_to) == (5, "somebody")
    assert (properties.type, properties.app_id) == ("device.failed", "device-service")
    assert properties.content_type == "application/json"
    assert datetime.fromtimestamp(properties.timestamp, UTC) == datetime(
        *(2025, 11, 3, 0, 30, 7), tzinfo=UTC
    )
    assert properties.delivery_mode == 2
    assert (properties.expiration, properties.user_id) == (None, None)


def test_same_id_with_another_body_is_a_dead_letter(
    store: Store, connected: Functions, queues: Queues
) -> None:
    store.seed(world(held("d1"), held("d2")))
    first = message("device.failed", id="m-1", deviceId="d1")
    second = message("device.failed", id="m-1", deviceId="d2")

    assert connected.handle(first) == {"success": 1}
    assert connected.handle(second, first) == {"dead_lettered": 1, "duplicate": 1}

    (letter,) = queues.take()
    assert letter.body == second.body
    assert letter.headers["x-error"] == (
        "conflicting duplicate: message m-1 came before with another body"
    )
    assert [row.status for row in store.state()["allocations"]] == ["RELEASED", "ALLOCATED"]


def test_conflict_within_a_batch_counts_no_payment(connected: Functions, queues: Queues) -> None:
    both = [message("billing.payment_failed", id="m-1", userId=user_id) for user_id in ("u1", "u2")]

    assert connected.handle(*both) == {"success": 1, "dead_lettered": 1}

    assert len(queues.take()) == 1
    counter = connected.counter
    assert counter.count("u1", "next", NOW, NOW) == 2
    assert counter.count("u2", "next", NOW, NOW) == 1


def test_invalid_messages_do_not_affect_valid_ones(
    store: Store, connected: Functions, queues: Queues
) -> None:
    store.seed(world(held("d1"), held("d2")))
    batch = [
        message("device.failed", body=b"\xff"),
        message("device.failed", deviceId="d1"),
        message("device.failed", reason=None),
        message("device.failed", deviceId="d2"),
    ]

    assert connected.handle(*batch) == {"success": 2, "invalid": 2}

    assert len(queues.take()) == 2
    assert [row.status for row in store.state()["allocations"]] == ["RELEASED"] * 2


def test_message_of_an_unknown_queue_is_a_dead_letter(connected: Functions, queues: Queues) -> None:
    event = mq_event(message("device.failed"))
    (records,) = event["rmqMessagesByQueue"].values()
    event["rmqMessagesByQueue"] = {"scheduler.device-exploded::cloudphone": records}

    assert connected.invoke("device", event) == {"invalid": 1}

    (letter,) = queues.take()
    assert letter.headers["x-error"] == (
        "no rule for queue scheduler.device-exploded: unknown event"
    )
    assert letter.headers["x-source-queue"] == "scheduler.device-exploded"


@pytest.mark.parametrize("queue", ["队列", "scheduler.device-exploded", "q" * 70])
def test_redelivered_message_of_an_unknown_queue_is_a_dead_letter(
    queue: str, connected: Functions, queues: Queues
) -> None:
    """The queue's name does not fit the column of the redelivery notes."""
    event = mq_event(message("device.failed", redelivered=True))
    (records,) = event["rmqMessagesByQueue"].values()

    answer = connected.invoke("device", {"rmqMessagesByQueue": {f"{queue}::v": records}})

    assert answer == {"invalid": 1}
    (letter,) = queues.take()
    assert letter.headers["x-source-queue"] == queue


def test_message_of_another_family_is_a_dead_letter(connected: Functions, queues: Queues) -> None:
    assert connected.invoke("user", mq_event(message("device.failed"))) == {"invalid": 1}

    (letter,) = queues.take()
    assert letter.routing_key == "scheduler.device-failed.failed"


def test_two_queues_in_one_event_are_both_consumed(
    store: Store, connected: Functions, queues: Queues
) -> None:
    store.seed(world(held("d1"), held("d2")))
    batch = [
        message("device.failed", deviceId="d1"),
        message("device.maintenance", deviceId="d2"),
        message("device.failed", body=b""),
    ]

    assert connected.invoke("device", mq_event(*batch)) == {"success": 2, "invalid": 1}

    assert len(queues.take()) == 1
    assert [row.status for row in store.state()["allocations"]] == ["RELEASED"] * 2


@pytest.mark.parametrize(
    "event",
    [
        {"rmqMessagesByQueue": {"scheduler.device-failed::cloudphone": []}},
        {"rmqMessagesByQueue": {}},
        {},
        None,
    ],
)
def test_empty_event_is_ignored(event: object, functions: Functions) -> None:
    assert functions.invoke("device", event) == {}


def test_headers_that_pika_cannot_encode_do_not_block_the_queue(
    connected: Functions, queues: Queues
) -> None:
    """A float in a header once made pika raise, so that the batch was redelivered indefinitely."""
    sent = message("device.failed", body=b"{", headers={})
    event = mq_event(sent)
    (record,) = event["rmqMessagesByQueue"]["scheduler.device-failed::cloudphone"]
    record["basicProperties"]["headers"] = {"rate": 0.25, "sum": 2**64}

    assert connected.invoke("device", event) == {"invalid": 1}

    (letter,) = queues.take()
    assert letter.headers["rate"] == "0.25"
    assert letter.headers["sum"] == str(2**64)


@pytest.mark.parametrize("size", [100_000, 130_900])
def test_headers_of_the_maximum_size_do_not_block_the_queue(
    size: int, connected: Functions, queues: Queues
) -> None:
    sent = message("device.failed", body=b"{", headers={"big": "x" * size, "small": 1})

    assert connected.handle(sent) == {"invalid": 1}

    (letter,) = queues.take()
    assert letter.headers["x-source-queue"] == "scheduler.device-failed"
    assert letter.headers["small"] == 1
    assert ("big" in letter.headers) == (size <= 100_000)


def test_unknown_fields_and_emoji_ids_are_accepted(
    store: Store, connected: Functions, queues: Queues
) -> None:
    sent = message(
        "device.failed",
        body=encoded({"deviceId": "📱👩‍🔧", "reason": "x", "more": {"of": [None, HUGE]}}),
    )

    assert connected.handle(sent) == {"success": 1}

    assert store.state()["devices"][0][:4] == ("📱👩‍🔧", "📱👩‍🔧", "available", "failed")
    assert queues.take() == []
