"""For any input the handler does not raise, and every record is settled."""

import base64
import os
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.bodies import SMALLEST
from scheduler.messaging.topology import DEAD_LETTER_QUEUE
from tests.support.anything import json_values, texts
from tests.support.events import EVENT_TYPES, QUEUE_OF, encoded
from tests.support.functions import Functions
from tests.support.queues import Queues
from tests.support.store import Store

FEW = settings(
    max_examples=int(os.environ.get("EXAMPLES", "40")),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SETTLED = {"success", "duplicate", "outdated", "invalid", "retried", "dead_lettered", "error"}

bodies = st.one_of(
    st.binary(max_size=60),
    json_values.map(lambda value: encoded(value) if _encodable(value) else b"?"),
    st.sampled_from(EVENT_TYPES).map(lambda name: encoded(SMALLEST[name])),
)
properties = st.dictionaries(
    st.sampled_from(
        ["headers", "messageId", "timestamp", "priority", "correlationId", "type", "contentType"]
    ),
    json_values | st.dictionaries(texts, json_values, max_size=3),
)
records = st.one_of(
    json_values,
    st.fixed_dictionaries(
        {"data": bodies.map(lambda raw: base64.b64encode(raw).decode())},
        optional={"basicProperties": properties | json_values, "redelivered": json_values},
    ),
)
queue_names = st.sampled_from(list(QUEUE_OF.values())) | texts
mq_events = st.dictionaries(
    queue_names.map(lambda name: f"{name}::cloudphone"), st.lists(records, max_size=4), max_size=3
)


def _encodable(value: object) -> bool:
    try:
        encoded(value)
    except UnicodeEncodeError:
        return False
    return True


@FEW
@given(queues_of_event=mq_events, family=st.sampled_from(["device", "user", "billing"]))
def test_every_record_is_settled(
    connected: Functions, queues: Queues, queues_of_event: dict[str, Any], family: str
) -> None:
    sent = sum(map(len, queues_of_event.values()))

    totals = Counter(connected.invoke(family, {"rmqMessagesByQueue": queues_of_event}))

    assert totals.total() == sent
    assert set(totals) <= SETTLED
    letters = queues.take(DEAD_LETTER_QUEUE)
    assert len(letters) == totals["invalid"] + totals["dead_lettered"]
    assert all(letter.headers["x-error"] for letter in letters)
    assert totals["retried"] + totals["error"] == 0


@FEW
@given(event=json_values)
def test_malformed_event_is_ignored(functions: Functions, event: object) -> None:
    assert functions.invoke("device", event) == {}


@FEW
@given(data=st.data(), event_type=st.sampled_from(EVENT_TYPES))
def test_body_with_any_value_in_a_field_is_applied_or_a_dead_letter(
    connected: Functions, queues: Queues, store: Store, data: st.DataObject, event_type: str
) -> None:
    store.clear()
    body = dict(SMALLEST[event_type])
    name = data.draw(st.sampled_from([*body, "timestamp", "version", "eventId", "extra"]))
    body[name] = data.draw(json_values.filter(_encodable))
    raw = base64.b64encode(encoded(body)).decode()
    event = {"rmqMessagesByQueue": {f"{QUEUE_OF[event_type]}::v": [{"data": raw}]}}

    totals = connected.invoke(event_type.partition(".")[0], event)

    state, letters = store.state(), queues.take()
    done = totals == {"success": 1}
    assert done or totals == {"invalid": 1}
    assert len(letters) == (not done)
    assert len(state["processed"]) == len(state["users"] + state["devices"]) == done


def test_thousand_invalid_bodies_in_a_batch_are_all_dead_letters(
    connected: Functions, queues: Queues
) -> None:
    raw = [base64.b64encode(b"x%d" % n).decode() for n in range(1000)]
    records_of_queue = [{"data": one} for one in raw]
    event = {"rmqMessagesByQueue": {"scheduler.user-suspended::v": records_of_queue}}

    assert connected.invoke("user", event) == {"invalid": 1000}

    assert queues.depth(DEAD_LETTER_QUEUE) == 1000
