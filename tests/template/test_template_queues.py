from typing import Any

import pytest

from local.event_source_mapping import WITHOUT_WINDOW
from scheduler.messaging.topology import NOTIFICATION_QUEUE, VHOST, WORK_QUEUES, WorkQueue
from tests.template.stack import Stack

MAPPING = "AWS::Lambda::EventSourceMapping"


CONSUMED = (*(queue.name for queue in WORK_QUEUES), NOTIFICATION_QUEUE)


def mapping_of(stack: Stack, queue: str) -> dict[str, Any]:
    (mapping,) = [m for m in stack.of_type(MAPPING).values() if m["Queues"] == [queue]]
    return mapping


def test_exactly_the_work_queues_and_the_notification_queue_are_mapped(stack: Stack) -> None:
    mapped = [queue for m in stack.of_type(MAPPING).values() for queue in m["Queues"]]

    assert sorted(mapped) == sorted(CONSUMED)


@pytest.mark.parametrize("queue", WORK_QUEUES, ids=lambda queue: queue.name)
def test_queue_is_consumed_by_the_function_of_its_family(stack: Stack, queue: WorkQueue) -> None:
    function = mapping_of(stack, queue.name)["FunctionName"]["Ref"]

    handler = stack.functions[function]["Handler"]
    assert handler == f"{queue.family}_events.app.handler"


def test_notification_queue_is_consumed_by_the_dispatcher(stack: Stack) -> None:
    function = mapping_of(stack, NOTIFICATION_QUEUE)["FunctionName"]["Ref"]

    assert stack.functions[function]["Handler"] == "notification_dispatch.app.handler"


def test_nudges_have_no_batching_window_locally_and_deployed(stack: Stack) -> None:
    window = mapping_of(stack, NOTIFICATION_QUEUE)["MaximumBatchingWindowInSeconds"]

    assert window == WITHOUT_WINDOW.window == 0


@pytest.mark.parametrize("queue", CONSUMED)
def test_mapping_uses_the_credentials_and_vhost_of_the_broker(stack: Stack, queue: str) -> None:
    mapping = mapping_of(stack, queue)

    assert mapping["EventSourceArn"] == output("BrokerArn")
    assert mapping["SourceAccessConfigurations"] == [
        {"Type": "BASIC_AUTH", "URI": output("BrokerConsumerSecretArn")},
        {"Type": "VIRTUAL_HOST", "URI": VHOST},
    ]


@pytest.mark.parametrize("queue", CONSUMED)
def test_mapping_is_created_after_its_queue(stack: Stack, queue: str) -> None:
    function = mapping_of(stack, queue)["FunctionName"]["Ref"]

    assert stack.resources[function]["DependsOn"] == "Provisioning"


def output(name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": ["Infrastructure", f"Outputs.{name}"]}
