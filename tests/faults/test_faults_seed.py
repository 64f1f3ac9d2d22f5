"""A drill is reproducible: messages and crash points follow from the seed."""

from __future__ import annotations

import json
from collections import Counter

from tests.faults.crash_points import PAYMENT_POINTS, CrashPlan, CrashPoint, CrashTrigger
from tests.faults.scenarios import workload
from tests.faults.workload import FailureOutcome
from tests.support.events import EVENT_TYPES


def test_same_seed_publishes_the_same_messages_in_the_same_order() -> None:
    assert workload(7, 300).messages == workload(7, 300).messages
    assert workload(7, 300).messages != workload(8, 300).messages


def test_workload_has_duplicates_malformed_and_failing_messages() -> None:
    load = workload(1, 2000)

    copies = Counter(message.key for message in load.messages)
    assert set(copies.values()) == {1, 2}
    assert 0.18 < sum(count == 2 for count in copies.values()) / load.distinct < 0.22
    assert 0.01 < len(load.rejected) / load.distinct < 0.03
    assert set(load.rejected.values()) == set(FailureOutcome)
    assert {message.event_type for message in load.messages} == set(EVENT_TYPES)


def test_workload_has_events_without_id_or_time_and_equal_payments() -> None:
    load = workload(1, 2000)

    unidentified = [message for message in load.messages if not message.identified]
    bodies = Counter(message.body for message in unidentified)
    valid = [message for message in load.messages if message.key in load.valid]
    times = [json.loads(message.body).get("timestamp") for message in valid]
    assert 0.15 < len(unidentified) / load.distinct < 0.3
    assert set(bodies.values()) == {1, 3}
    assert 0.1 < times.count(None) / len(times) < 0.25
    assert any(time and time > "2099" for time in times)
    assert {len(time) for time in times if time} == {20, 25, 29}
    assert any(home.waits for home in load.households)


def test_same_seed_kills_the_same_process_at_the_same_step() -> None:
    points = list(CrashPoint)

    plans = [CrashPlan.of(points, 1, "queue", generation) for generation in range(200)]

    assert plans == [CrashPlan.of(points, 1, "queue", generation) for generation in range(200)]
    assert {plan.point for plan in plans} == set(CrashPoint)
    assert plans != [CrashPlan.of(points, 2, "queue", generation) for generation in range(200)]


def test_only_billing_functions_are_killed_while_counting() -> None:
    points = [point for point in CrashPoint if point not in PAYMENT_POINTS]

    assert all(CrashPlan.of(points, 1, "queue", n).point in points for n in range(100))


def test_process_is_killed_at_the_planned_visit_or_at_the_last_step() -> None:
    def killed_at(plan: CrashPlan, steps: list[CrashPoint]) -> list[int]:
        killed: list[int] = []
        trigger = CrashTrigger(plan, lambda _point: killed.append(number))
        for number, step in enumerate(steps, 1):  # noqa: B007 - the trigger's callback reads it
            trigger.reach(step)
        return killed

    load, commit = CrashPoint.BEFORE_LOAD, CrashPoint.BEFORE_COMMIT
    assert killed_at(CrashPlan(commit, 2, 99), [load, commit, load, commit]) == [4]
    assert killed_at(CrashPlan(commit, 9, 3), [load, commit, load]) == [3]
