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


def test_work_and_nudges_are_mapped_and_nothing_else(stack: Stack) -> None:
    mapped = [queue for m in stack.of_type(MAPPING).values() for queue in m["Queues"]]

    assert sorted(mapped) == sorted(CONSUMED)


@pytest.mark.parametrize("queue", WORK_QUEUES, ids=lambda queue: queue.name)
def test_a_queue_goes_to_the_function_of_its_family(stack: Stack, queue: WorkQueue) -> None:
    function = mapping_of(stack, queue.name)["FunctionName"]["Ref"]

    handler = stack.functions[function]["Handler"]
    assert handler == f"{queue.family}_events.app.handler"


def test_nudges_go_to_the_dispatcher(stack: Stack) -> None:
    function = mapping_of(stack, NOTIFICATION_QUEUE)["FunctionName"]["Ref"]

    assert stack.functions[function]["Handler"] == "notification_dispatch.app.handler"


def test_nudges_wait_for_no_others_here_as_there(stack: Stack) -> None:
    window = mapping_of(stack, NOTIFICATION_QUEUE)["MaximumBatchingWindowInSeconds"]

    assert window == WITHOUT_WINDOW.window == 0


@pytest.mark.parametrize("queue", CONSUMED)
def test_a_mapping_logs_in_to_the_brokers_vhost(stack: Stack, queue: str) -> None:
    mapping = mapping_of(stack, queue)

    assert mapping["EventSourceArn"] == output("BrokerArn")
    assert mapping["SourceAccessConfigurations"] == [
        {"Type": "BASIC_AUTH", "URI": output("BrokerSecretArn")},
        {"Type": "VIRTUAL_HOST", "URI": VHOST},
    ]


@pytest.mark.parametrize("queue", CONSUMED)
def test_a_mapping_waits_until_its_queue_exists(stack: Stack, queue: str) -> None:
    function = mapping_of(stack, queue)["FunctionName"]["Ref"]

    assert stack.resources[function]["DependsOn"] == "Provisioning"


def output(name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": ["Infrastructure", f"Outputs.{name}"]}
