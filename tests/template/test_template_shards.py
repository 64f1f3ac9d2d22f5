"""Additional shards of each event are mapped and watched like the first queue."""

from typing import Any

import pytest

from scheduler.messaging.topology import VHOST, WORK_QUEUES, WorkQueue
from scheduler.settings import MAX_SHARDS
from tests.template.stack import Stack

ADDITIONAL = range(1, MAX_SHARDS)
SHARDS = {"Ref": "Shards"}


@pytest.fixture(scope="module")
def shard(nested: dict[str, Stack]) -> Stack:
    return nested["shard"]


def queue_of(event_type: str) -> str:
    """Return the name of a queue in the expanded template, where parameters have their names."""
    return f"{WorkQueue(event_type).name}.Shard"


def queues_of(shard: Stack) -> dict[str, dict[str, Any]]:
    mappings = shard.of_type("AWS::Lambda::EventSourceMapping").values()
    return {mapping["Queues"][0]: mapping for mapping in mappings}


def test_every_additional_shard_is_a_conditional_stack(stack: Stack) -> None:
    stacks = {name: one for name, one in stack.resources.items() if name.startswith("Shard")}

    assert set(stacks) == {f"Shard{number}" for number in ADDITIONAL}
    for number in ADDITIONAL:
        one = stacks[f"Shard{number}"]
        assert one["Condition"] == f"HasShard{number}"
        assert one["Properties"]["Parameters"]["Shard"] == str(number)
        assert "Provisioning" in one["DependsOn"]


def test_every_event_has_one_mapping_in_a_shard(shard: Stack) -> None:
    expected = [queue_of(event.event_type) for event in WORK_QUEUES]

    assert sorted(queues_of(shard)) == sorted(expected)
    assert len(shard.of_type("AWS::Lambda::EventSourceMapping")) == len(expected)


@pytest.mark.parametrize("event", WORK_QUEUES, ids=lambda queue: queue.name)
def test_shard_is_consumed_like_the_first_queue(shard: Stack, event: WorkQueue) -> None:
    mapping = queues_of(shard)[queue_of(event.event_type)]

    assert mapping["FunctionName"] == f"Stack-{event.family}-events"
    assert mapping["BatchSize"] == "BatchSize"
    assert mapping["SourceAccessConfigurations"] == [
        {"Type": "BASIC_AUTH", "URI": "BrokerConsumerSecretArn"},
        {"Type": "VIRTUAL_HOST", "URI": VHOST},
    ]


def test_provisioning_uses_filled_shards_and_housekeeping_all(
    stack: Stack,
) -> None:
    def variable(function: str) -> Any:  # noqa: ANN401 - any value of a template
        return stack.functions[function]["Environment"]["Variables"]["SHARDS"]

    assert variable("HousekeepingFunction") == SHARDS
    filled = variable("ProvisioningFunction")
    assert filled == {"Fn::If": ["FillsAllShards", SHARDS, {"Ref": "FilledShards"}]}
    assert stack.resources["Provisioning"]["Properties"]["Shards"] == filled


def test_every_queue_of_a_shard_has_an_alarm_on_missing_progress(shard: Stack) -> None:
    alarms = shard.of_type("AWS::CloudWatch::Alarm").values()
    measured = [
        {
            metric["Id"]: metric["MetricStat"]["Metric"]["Dimensions"]
            for metric in alarm["Metrics"]
            if "MetricStat" in metric
        }
        for alarm in alarms
    ]

    for event in WORK_QUEUES:
        dimension = [{"Name": "queue", "Value": queue_of(event.event_type)}]
        assert {"depth": dimension, "batches": dimension} in measured
    for alarm in alarms:
        assert "runbooks.md#queue-without-progress" in alarm["AlarmDescription"]
        assert alarm["AlarmActions"] == ["AlarmTopicArn"]
