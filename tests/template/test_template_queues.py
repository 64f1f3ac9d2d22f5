from typing import Any

import pytest

from scheduler.messaging.topology import VHOST, WORK_QUEUES, WorkQueue
from tests.template.stack import Stack

MAPPING = "AWS::Lambda::EventSourceMapping"


def mapping_of(stack: Stack, queue: WorkQueue) -> dict[str, Any]:
    (mapping,) = [m for m in stack.of_type(MAPPING).values() if m["Queues"] == [queue.name]]
    return mapping


def test_only_the_work_queues_are_mapped(stack: Stack) -> None:
    mapped = [queue for m in stack.of_type(MAPPING).values() for queue in m["Queues"]]

    assert sorted(mapped) == sorted(queue.name for queue in WORK_QUEUES)


@pytest.mark.parametrize("queue", WORK_QUEUES, ids=lambda queue: queue.name)
def test_a_queue_goes_to_the_function_of_its_family(stack: Stack, queue: WorkQueue) -> None:
    function = mapping_of(stack, queue)["FunctionName"]["Ref"]

    handler = stack.functions[function]["Handler"]
    assert handler == f"{queue.family}_events.app.handler"


@pytest.mark.parametrize("queue", WORK_QUEUES, ids=lambda queue: queue.name)
def test_a_mapping_logs_in_to_the_brokers_vhost(stack: Stack, queue: WorkQueue) -> None:
    mapping = mapping_of(stack, queue)

    assert mapping["EventSourceArn"] == {"Ref": "BrokerArn"}
    assert mapping["SourceAccessConfigurations"] == [
        {"Type": "BASIC_AUTH", "URI": {"Ref": "BrokerSecretArn"}},
        {"Type": "VIRTUAL_HOST", "URI": VHOST},
    ]
