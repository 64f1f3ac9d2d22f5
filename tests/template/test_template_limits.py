"""Database and broker accept what the functions need, and the database can grow."""

import math
import re
from typing import Any

import pytest

from scheduler.domain.notices import Channel
from scheduler.messaging.topology import WORK_QUEUES
from scheduler.settings import MAX_SHARDS
from tests.template.stack import Stack

SHARDS = range(1, MAX_SHARDS + 1)
USES_DATABASE = ("DatabasePolicy",)
USES_BROKER = ("BrokerPolicy", "PublisherPolicy")

POLLERS_OF_NUDGES = 1
PUBLISHERS = 60
"""Connections that are left to other services, at least."""


def environments(
    stack: Stack, policies: tuple[str, ...], shards: int, concurrency: int = 0
) -> dict[str, int]:
    """Return the concurrent environments of each function whose role has one of some policies."""
    found = {}
    for name, function in stack.functions.items():
        role = stack.roles[function["Role"]["Fn::GetAtt"][0]]
        if any({"Ref": policy} in role["ManagedPolicyArns"] for policy in policies):
            match function["ReservedConcurrentExecutions"]:
                case {
                    "Fn::If": [
                        "OneEnvironmentPerQueue",
                        {"Fn::FindInMap": [mapping, _, column]},
                        {"Ref": "EventConcurrency"},
                    ]
                }:
                    found[name] = concurrency or stack.mappings[mapping][str(shards)][column]
                case reserved:
                    found[name] = reserved
    return found


def of_dispatcher(stack: Stack) -> int:
    """Return the connections of one dispatcher: one per thread and channel, and its own."""
    variables = stack.functions["NotificationDispatchFunction"]["Environment"]["Variables"]
    return len(Channel) * int(variables["DISPATCH_THREADS"]) + 1


def database_connections(stack: Stack, shards: int, concurrency: int) -> int:
    counts = environments(stack, USES_DATABASE, shards, concurrency)
    return sum(
        count * (of_dispatcher(stack) if name == "NotificationDispatchFunction" else 1)
        for name, count in counts.items()
    )


def threshold(stack: Stack, nested: dict[str, Stack], shards: int, concurrency: int) -> int:
    """Return the database connections above which there is an alarm."""
    given = stack.resources["Operations"]["Properties"]["Parameters"]["EventConnections"]
    condition, of_queues, of_parameter = given["Fn::If"]
    assert condition == "OneEnvironmentPerQueue"
    if concurrency:
        count = of_parameter["Fn::Sub"].replace("${EventConcurrency}", str(concurrency))
    else:
        mapping, _, column = of_queues["Fn::FindInMap"]
        count = str(stack.mappings[mapping][str(shards)][column])
    alarm = nested["operations"].of_type("AWS::CloudWatch::Alarm")["DatabaseConnections"]
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (100, "GreaterThanThreshold")
    share = alarm["Metrics"][0]["Expression"]
    sums = re.fullmatch(r"100 \* connections / \((\d+) \+ EventConnections\)", share)
    assert sums
    return int(sums[1]) + math.prod(map(int, count.split("*")))


@pytest.mark.parametrize("shards", SHARDS)
@pytest.mark.parametrize("concurrency", [0, 20, 40])
def test_database_accepts_the_functions_and_an_alarm_comes_between(
    stack: Stack,
    nested: dict[str, Stack],
    expanded: dict[str, dict[str, Any]],
    shards: int,
    concurrency: int,
) -> None:
    (group,) = nested["database"].of_type("AWS::RDS::DBParameterGroup").values()
    accepted = expanded["template"]["Parameters"]["DatabaseConnections"]["Default"]

    alarm = threshold(stack, nested, shards, concurrency)

    assert group["Parameters"]["max_connections"] == {"Ref": "Connections"}
    assert database_connections(stack, shards, concurrency) < alarm < accepted


@pytest.mark.parametrize("shards", SHARDS)
def test_broker_accepts_functions_pollers_and_publishers(
    stack: Stack, nested: dict[str, Stack], shards: int
) -> None:
    data = nested["broker"].of_type("AWS::AmazonMQ::Configuration")["Limits"]["Data"]
    accepted = int(re.findall(r"^connection_max=(\d+)$", data["Fn::Base64"], re.MULTILINE)[0])
    functions = sum(environments(stack, USES_BROKER, shards).values())
    pollers = len(WORK_QUEUES) * shards + POLLERS_OF_NUDGES

    assert functions + pollers + PUBLISHERS <= accepted <= 300


def test_broker_of_another_type_accepts_what_it_does_by_default(
    nested: dict[str, Stack],
) -> None:
    """A configuration stays with its broker, even one that becomes larger.

    docs.aws.amazon.com/amazon-mq/latest/developer-guide/configure-resource-limits.html: a section
    counts for its instance type and deployment mode, of which 1 is a single instance.
    """
    limits = nested["broker"].resources["Limits"]
    broker = nested["broker"].resources["Broker"]["Properties"]

    data = limits["Properties"]["Data"]["Fn::Base64"]
    assert re.fullmatch(r"(\{\{m7g\.medium\.1\}\}\n)connection_max=\d+\n\1", data)
    assert "Condition" not in limits
    assert broker["Configuration"] == {
        "Id": {"Ref": "Limits"},
        "Revision": {"Fn::GetAtt": ["Limits", "Revision"]},
    }


def test_largest_storage_leaves_rds_the_tenth_that_it_demands(
    expanded: dict[str, dict[str, Any]], nested: dict[str, Stack]
) -> None:
    """docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIOPS.Autoscaling.html"""
    (instance,) = nested["database"].of_type("AWS::RDS::DBInstance").values()
    largest = expanded["template"]["Parameters"]["DatabaseStorage"]["MaxValue"]

    assert instance["AllocatedStorage"] == {"Ref": "Storage"}
    assert instance["MaxAllocatedStorage"] >= 1.1 * largest
