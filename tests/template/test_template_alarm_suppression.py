"""Alarms link to runbooks, and the alarm on a cause suppresses those on its consequences."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import pytest
from moto.sns.utils import FilterPolicyMatcher

from alarm_relay.text import SECTIONS
from housekeeping.jobs import JOBS
from local.paths import ROOT
from tests.support.pages import anchors

if TYPE_CHECKING:
    from tests.template.stack import Stack

DOCS: Final = ROOT / "docs"
METRIC: Final = "AWS::CloudWatch::Alarm"
COMPOSITE: Final = "AWS::CloudWatch::CompositeAlarm"


@pytest.fixture(scope="module")
def alarms(nested: dict[str, Stack]) -> dict[str, dict[str, Any]]:
    return nested["operations"].of_type(METRIC)


@pytest.fixture(scope="module")
def composites(nested: dict[str, Stack]) -> dict[str, dict[str, Any]]:
    return nested["operations"].of_type(COMPOSITE)


def text(value: Any) -> str:  # noqa: ANN401 - a string or a Sub
    """Return a text with its references in braces."""
    found: str = value["Fn::Sub"] if isinstance(value, dict) else value
    return found


def children(composite: dict[str, Any]) -> set[str]:
    """Return the logical ids of the alarms in a rule."""
    return set(re.findall(r'ALARM\("\$\{(\w+)\.Arn\}"\)', text(composite["AlarmRule"])))


def test_every_alarm_that_notifies_links_to_its_runbook(nested: dict[str, Stack]) -> None:
    for name in ("operations", "shard"):
        listed = nested[name].of_type(METRIC) | nested[name].of_type(COMPOSITE)
        for alarm, about in listed.items():
            if alarm == "SomethingAway":
                continue  # it only suppresses others
            link = re.search(r"Docs\}?/(\S+\.md)#(\S+)$", text(about["AlarmDescription"]))
            assert link, alarm
            assert link[2] in anchors(DOCS / link[1]), alarm


def test_chinese_alarms_link_to_the_same_section_of_the_chinese_runbooks() -> None:
    english, chinese = (
        re.findall(r"^##? (.+)$", (DOCS / page).read_text("utf-8"), re.MULTILINE)
        for page in ("runbooks.md", "zh-CN/runbooks.md")
    )
    same = {
        one.lower().replace(" ", "-"): other for one, other in zip(english, chinese, strict=True)
    }

    assert {section: same.get(section) for section in SECTIONS} == SECTIONS


def test_every_runbook_of_an_alarm_has_a_chinese_name(nested: dict[str, Stack]) -> None:
    linked = {
        text(one["AlarmDescription"]).rpartition("#")[2]
        for stack in (nested["operations"], nested["shard"])
        for one in (stack.of_type(METRIC) | stack.of_type(COMPOSITE)).values()
        if "#" in text(one["AlarmDescription"])
    }

    assert linked == set(SECTIONS)


def test_links_begin_with_the_url_of_the_repository(stack: Stack) -> None:
    docs = [
        one["Parameters"]["Docs"]
        for one in stack.of_type("AWS::CloudFormation::Stack").values()
        if "Docs" in one["Parameters"]
    ]

    given = {"Fn::If": ["HasRepositoryUrl", {"Fn::Sub": "${RepositoryUrl}/docs"}, "docs"]}
    assert docs == [given] * 4  # operations, three shards


def test_every_alarm_notifies_itself_or_by_one_alarm_that_can_be_suppressed(
    alarms: dict[str, dict[str, Any]], composites: dict[str, dict[str, Any]]
) -> None:
    topic = [{"Ref": "AlarmTopic"}]
    parents = {
        name: [parent for parent, one in composites.items() if name in children(one)]
        for name in alarms
    }

    for name, alarm in alarms.items():
        if alarm.get("AlarmActions") == topic:
            assert not parents[name], name
        else:
            assert "AlarmActions" not in alarm, name
            acting = [one for one in parents[name] if composites[one].get("AlarmActions") == topic]
            assert acting, name
    for name, one in composites.items():
        assert one.get("AlarmActions", topic) == one.get("OKActions", topic) == topic, name


@pytest.mark.parametrize(
    ("cause", "consequences"),
    [
        ("DatabaseAway", {f"Failing{job.replace('-', '')}" for job in JOBS} - {"Failingmeasure"}),
        ("DatabaseAway", {"ApiErrors", "OldestNotification", "Errorsrealtime", "Delayemail"}),
        ("BrokerAway", {"HousekeepingStopped", "OldestEvent", "Errorsdeviceevents"}),
        ("DispatcherAway", {"OldestNotification", "OldestEvent", "Errorsnotificationdispatch"}),
    ],
)
def test_alarm_on_a_cause_suppresses_those_on_its_consequences(
    cause: str, consequences: set[str], composites: dict[str, dict[str, Any]]
) -> None:
    suppressors = [cause] + [name for name, one in composites.items() if cause in children(one)]
    suppressed = {
        child
        for one in composites.values()
        if one.get("ActionsSuppressor") in [{"Fn::GetAtt": [s, "Arn"]} for s in suppressors]
        for child in children(one)
    }

    assert suppressed >= consequences
    assert "ActionsSuppressor" not in composites[cause]
    assert composites[cause]["AlarmActions"]


def test_database_alarm_needs_several_failed_jobs_and_broker_alarm_a_missing_metric(
    composites: dict[str, dict[str, Any]],
) -> None:
    jobs = children(composites["DatabaseAway"])

    assert len(jobs) >= 3
    assert " OR " not in text(composites["DatabaseAway"]["AlarmRule"])
    assert children(composites["BrokerAway"]) == {"Failingmeasure"}


def test_suppressed_alarms_wait_for_their_cause_and_stay_silent_while_all_recovers(
    composites: dict[str, dict[str, Any]],
) -> None:
    suppressed = [
        one
        for name, one in composites.items()
        if "ActionsSuppressor" in one and name != "NotifyCanaryFailed"
    ]

    assert {one["ActionsSuppressorWaitPeriod"] for one in suppressed} == {120}
    assert {one["ActionsSuppressorExtensionPeriod"] for one in suppressed} == {300}


def test_alarm_of_the_canary_waits_for_its_first_run_and_for_one_after_an_outage(
    stack: Stack, alarms: dict[str, dict[str, Any]], composites: dict[str, dict[str, Any]]
) -> None:
    rule = stack.of_type("AWS::Events::Rule")["OperationsFunctionCanary"]
    (minutes,) = re.findall(r"rate\((\d+) minutes\)", rule["ScheduleExpression"])
    timeout = stack.functions["OperationsFunction"]["Timeout"]
    notify = composites["NotifyCanaryFailed"]

    assert children(notify) == {"CanaryFailed"}
    assert notify["ActionsSuppressorWaitPeriod"] > int(minutes) * 60 + timeout
    assert notify["ActionsSuppressorExtensionPeriod"] > alarms["CanaryFailed"]["Period"]


@pytest.mark.parametrize(
    ("former", "state", "arrives"),
    [
        ("INSUFFICIENT_DATA", "OK", False),  # every alarm begins so
        ("INSUFFICIENT_DATA", "ALARM", True),
        ("OK", "ALARM", True),
        ("ALARM", "OK", True),
    ],
)
def test_mailbox_gets_alarms_and_their_ends_but_not_their_beginning(
    *, former: str, state: str, arrives: bool, nested: dict[str, Stack]
) -> None:
    (subscription,) = nested["operations"].of_type("AWS::SNS::Subscription").values()
    (alternatives,) = subscription["FilterPolicy"].values()  # of $or, which moto does not know
    scope = subscription["FilterPolicyScope"]

    message = json.dumps({"AlarmName": "A", "OldStateValue": former, "NewStateValue": state})

    found = [FilterPolicyMatcher(one, scope).matches(None, message) for one in alternatives]
    assert set(subscription["FilterPolicy"]) == {"$or"}
    assert any(found) is arrives
