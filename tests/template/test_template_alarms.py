"""Every function and queue has its alarms, and every alarm names a section of the runbook."""

import json
import re
import tomllib
from typing import Any

import pytest

from housekeeping.jobs import JOBS
from housekeeping.reconcile import Finding
from housekeeping.runner import JobStatus
from local.paths import ROOT
from ops.costs import ALARM_METRICS, COMPOSITE_ALARMS
from scheduler.domain.notices import Channel
from scheduler.messaging.topology import DEAD_LETTER_QUEUE, WORK_QUEUES, WorkQueue
from scheduler.outbox.delivery import DeliveryOutcome
from scheduler.pipeline.settle import Settlement
from tests.support.deciding import handling_of
from tests.support.events import QUEUE_OF
from tests.template.stack import Stack


@pytest.fixture(scope="module")
def alarms(nested: dict[str, Stack]) -> dict[str, dict[str, Any]]:
    return nested["operations"].of_type("AWS::CloudWatch::Alarm")


def on_function(alarms: dict[str, dict[str, Any]], service: str) -> dict[str, dict[str, Any]]:
    name = {"Name": "FunctionName", "Value": f"Stack-{service}"}
    return {
        alarm["MetricName"]: alarm for alarm in alarms.values() if alarm.get("Dimensions") == [name]
    }


def test_every_function_has_alarms_on_errors_throttles_and_duration(
    stack: Stack, alarms: dict[str, dict[str, Any]]
) -> None:
    for name, function in stack.functions.items():
        if name == "ProvisioningFunction":
            continue  # its errors fail the deployment
        service = function["FunctionName"]["Fn::Sub"].removeprefix("${AWS::StackName}-")
        own = on_function(alarms, service)

        scheduled = {"Invocations"} if service == "notification-dispatch" else set()
        assert own.keys() == {"Errors", "Throttles", "Duration"} | scheduled, name
        assert own["Duration"]["Threshold"] == function["Timeout"] * 800


@pytest.mark.parametrize("queue", WORK_QUEUES, ids=lambda queue: queue.name)
def test_every_queue_has_an_alarm_on_missing_progress(
    queue: WorkQueue, alarms: dict[str, dict[str, Any]]
) -> None:
    (metrics,) = (
        alarm["Metrics"]
        for name, alarm in alarms.items()
        if name.startswith("Stuck") and measured(alarm, "depth") == ("queue", queue.name)
    )

    assert measured({"Metrics": metrics}, "batches") == ("queue", queue.name)


def measured(alarm: dict[str, Any], metric_id: str) -> tuple[str, str]:
    (metric,) = (m["MetricStat"]["Metric"] for m in alarm["Metrics"] if m["Id"] == metric_id)
    assert metric["Namespace"] == "Namespace"  # the parameter
    (dimension,) = metric["Dimensions"]
    return dimension["Name"], dimension["Value"]


def test_dead_letters_have_an_alarm(alarms: dict[str, dict[str, Any]]) -> None:
    alarm = alarms["DeadLetters"]

    assert alarm["Dimensions"] == [{"Name": "queue", "Value": DEAD_LETTER_QUEUE}]
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "GreaterThanThreshold")


def test_every_informational_event_has_an_alarm_on_errors(
    alarms: dict[str, dict[str, Any]],
) -> None:
    watched = [
        {one["Name"]: one["Value"] for one in alarm["Dimensions"]}
        for alarm in alarms.values()
        if alarm.get("MetricName") == "scheduler_event_consumed_total"
    ]
    informational = [
        handling_of(queue).contract.event_type
        for queue in QUEUE_OF.values()
        if not handling_of(queue).contract.critical
    ]

    assert watched == [{"event_type": one, "status": Settlement.ERROR} for one in informational]


def test_api_has_an_alarm_on_errors(alarms: dict[str, dict[str, Any]]) -> None:
    (alarm,) = (one for one in alarms.values() if one.get("MetricName") == "5xx")

    assert alarm["Dimensions"] == [{"Name": "ApiId", "Value": "HttpApiId"}]  # the parameter


def test_every_finding_of_the_reconciler_has_an_alarm(alarms: dict[str, dict[str, Any]]) -> None:
    kinds = {
        alarm["Dimensions"][0]["Value"]
        for alarm in alarms.values()
        if alarm.get("MetricName") == "scheduler_reconciler_findings_total"
    }

    assert kinds == set(Finding)


def test_every_job_of_housekeeping_has_an_alarm_on_failures(
    alarms: dict[str, dict[str, Any]],
) -> None:
    dimensions = [
        {one["Name"]: one["Value"] for one in alarm["Dimensions"]}
        for alarm in alarms.values()
        if alarm.get("MetricName") == "scheduler_housekeeping_runs_total"
    ]

    assert dimensions == [{"job": job, "status": JobStatus.FAILED} for job in JOBS]


def test_every_channel_has_an_alarm_on_failed_notifications(
    alarms: dict[str, dict[str, Any]],
) -> None:
    watched = [
        {one["Name"]: one["Value"] for one in alarm["Dimensions"]}
        for alarm in alarms.values()
        if alarm.get("MetricName") == "scheduler_notifications_total"
    ]

    assert watched == [{"channel": one, "status": DeliveryOutcome.FAILED} for one in Channel]


def test_text_messages_that_sns_accepts_and_does_not_deliver_raise_an_alarm(
    alarms: dict[str, dict[str, Any]],
) -> None:
    (query,) = alarms["UndeliveredTextMessages"]["Metrics"]

    assert "NumberOfNotificationsFailed" in query["Expression"]
    assert "PhoneNumber" in query["Expression"]  # not those of the alarm topic


def test_emails_that_ses_accepts_and_that_bounce_raise_an_alarm_before_ses_pauses_the_account(
    alarms: dict[str, dict[str, Any]],
) -> None:
    """docs.aws.amazon.com/ses/latest/dg/reputationdashboard-cloudwatch-alarm.html"""
    watched = {
        alarm["MetricName"]: (alarm["Threshold"], alarm["TreatMissingData"])
        for alarm in alarms.values()
        if alarm.get("Namespace") == "AWS/SES"
    }

    assert watched == {  # there are no data while nothing is sent
        "Reputation.BounceRate": (0.05, "ignore"),
        "Reputation.ComplaintRate": (0.001, "ignore"),
    }


@pytest.mark.parametrize(
    ("alarm", "limit", "percent"),
    [
        ("TextMessageSpending", "SmsSpendLimit", 80),
        ("Connections", "BrokerConnections", 80),
        ("FreeStorage", "DatabaseStorage", 10),
    ],
)
def test_alarm_follows_the_limit_that_is_a_parameter(
    alarms: dict[str, dict[str, Any]], stack: Stack, alarm: str, limit: str, percent: int
) -> None:
    parameters = stack.resources["Operations"]["Properties"]["Parameters"]

    assert limit in alarms[alarm]["Metrics"][0]["Expression"]
    assert alarms[alarm]["Threshold"] == percent
    assert parameters[limit] == {"Ref": limit}


def test_every_channel_has_an_alarm_on_late_notifications(
    alarms: dict[str, dict[str, Any]],
) -> None:
    late = {
        alarm["Dimensions"][0]["Value"]: alarm["ExtendedStatistic"]
        for alarm in alarms.values()
        if alarm.get("MetricName") == "scheduler_notification_delay_seconds"
    }

    assert late == {channel.value: "p99" for channel in Channel}


def test_dashboard_is_json(nested: dict[str, Stack]) -> None:
    (dashboard,) = nested["operations"].of_type("AWS::CloudWatch::Dashboard").values()

    body = dashboard["DashboardBody"]
    widgets = json.loads(body["Fn::Sub"] if isinstance(body, dict) else body)["widgets"]
    assert widgets[0]["properties"]["title"] == "Events by type and outcome"


def test_dashboard_opens_in_the_console_of_every_partition_with_a_region(
    nested: dict[str, Stack],
) -> None:
    domains = nested["operations"].mappings["Console"]

    assert domains.keys() == {"aws", "aws-cn", "aws-us-gov", "aws-eusc"}
    assert domains["aws-cn"]["Domain"] == "console.amazonaws.cn"


def test_alarms_use_only_metrics_of_their_own_stack(stack: Stack, nested: dict[str, Stack]) -> None:
    own = {"Namespace", "AWS/ApiGateway", "AWS/Lambda", "AWS/AmazonMQ", "AWS/RDS"}
    of_account = {"AWS/SES", "AWS/SNS"}  # e-mails and text messages have no stack

    for name in ("operations", "shard"):
        for alarm in nested[name].of_type("AWS::CloudWatch::Alarm").values():
            assert set(re.findall(r'"Namespace": "(.+?)"', json.dumps(alarm))) <= own | of_account
    for one in stack.of_type("AWS::CloudFormation::Stack").values():
        if "Stack" in one["Parameters"]:
            assert one["Parameters"]["Namespace"] == {"Ref": "MetricsNamespace"}


def test_dev_shares_no_name_with_prod() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
    parameters = (ROOT / "template.yaml").read_text("utf-8")
    dev, prod = (config[name]["global"]["parameters"] for name in ("default", "prod"))

    named = set(re.findall(r"^  (\w+TableName|MetricsNamespace):$", parameters, re.MULTILINE))
    assert {override.partition("=")[0] for override in dev["parameter_overrides"]} >= named
    assert dev["stack_name"] != prod["stack_name"]


def test_costs_count_the_alarms_that_there_are(
    alarms: dict[str, dict[str, Any]], stack: Stack, nested: dict[str, Stack]
) -> None:
    own = stack.of_type("AWS::CloudWatch::Alarm")
    metrics = [
        sum("MetricStat" in one for one in alarm.get("Metrics", [{"MetricStat": 1}]))
        for alarm in (*alarms.values(), *own.values())
    ]
    composites = nested["operations"].of_type("AWS::CloudWatch::CompositeAlarm")

    assert sum(metrics) == pytest.approx(ALARM_METRICS, rel=0.1)
    assert len(composites) == pytest.approx(COMPOSITE_ALARMS, rel=0.1)
