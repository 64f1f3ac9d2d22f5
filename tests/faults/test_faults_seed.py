"""A drill can be repeated: what is published, where processes die, all of it follows the seed."""

from __future__ import annotations

from collections import Counter

from tests.faults.account import Fate
from tests.faults.points import PAYMENT_POINTS, CrashPoint, DeathPlan, Fuse
from tests.faults.scenarios import workload
from tests.support.events import EVENT_TYPES


def test_the_same_seed_publishes_the_same_messages_in_the_same_order() -> None:
    assert workload(7, 300).messages == workload(7, 300).messages
    assert workload(7, 300).messages != workload(8, 300).messages


def test_the_load_holds_its_share_of_duplicates_malformed_and_failing_messages() -> None:
    load = workload(1, 2000)

    copies = Counter(message.key for message in load.messages)
    assert set(copies.values()) == {1, 2}
    assert 0.18 < sum(count == 2 for count in copies.values()) / load.distinct < 0.22
    assert 0.01 < len(load.expected.doomed) / load.distinct < 0.03
    assert set(load.expected.doomed.values()) == set(Fate)
    assert {message.event_type for message in load.messages} == set(EVENT_TYPES)


def test_every_release_that_is_promised_is_allowed_once() -> None:
    expected = workload(1, 500).expected

    promised = {effect for promise in expected.promises for effect in promise.effects}
    assert promised
    assert all(expected.limits[effect] == 1 for effect in promised if effect[0] == "released")
    assert promised <= expected.limits.keys()


def test_the_same_seed_kills_the_same_process_at_the_same_step() -> None:
    points = list(CrashPoint)

    plans = [DeathPlan.of(points, 1, "queue", generation) for generation in range(200)]

    assert plans == [DeathPlan.of(points, 1, "queue", generation) for generation in range(200)]
    assert {plan.point for plan in plans} == set(CrashPoint)
    assert plans != [DeathPlan.of(points, 2, "queue", generation) for generation in range(200)]


def test_only_queues_with_payments_die_while_counting() -> None:
    points = [point for point in CrashPoint if point not in PAYMENT_POINTS]

    assert all(DeathPlan.of(points, 1, "queue", n).point in points for n in range(100))


def test_a_fuse_blows_at_the_planned_visit_or_at_the_last_step() -> None:
    def dies(plan: DeathPlan, steps: list[CrashPoint]) -> list[int]:
        died: list[int] = []
        fuse = Fuse(plan, lambda _point: died.append(number))
        for number, step in enumerate(steps, 1):  # noqa: B007 - the fuse's callback reads it
            fuse.reach(step)
        return died

    load, commit = CrashPoint.BEFORE_LOAD, CrashPoint.BEFORE_COMMIT
    assert dies(DeathPlan(commit, 2, 99), [load, commit, load, commit]) == [4]
    assert dies(DeathPlan(commit, 9, 3), [load, commit, load]) == [3]
