"""Operations that take longer than a call are continued, and end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from operations import catalogue
from operations.context import OperationContext
from operations.dead_letters import calls as calls_module
from ops.interface import calls
from scheduler.deadline import Deadline
from tests.integration.ops.letters import Broker, letter, numbered

if TYPE_CHECKING:
    from collections.abc import Mapping

FAILED = "scheduler.device-failed"
DEAD = "scheduler.dead-letters"


@dataclass
class NoTime:
    """Operations whose calls have used up their time when they begin."""

    broker: Broker
    place: str = "a test"
    results: list[dict[str, Any]] = field(default_factory=list)

    def call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        context = OperationContext(lambda: self.broker.url, lambda: "", deadline=Deadline(0))
        return catalogue.run(operation, arguments, context)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call sees one letter, and no rest is short enough to be read."""
    monkeypatch.setattr(calls_module, "SMALL_BLOCK", 1)


def test_each_call_replays_a_letter_and_all_are_replayed_in_order(broker: Broker) -> None:
    ids = numbered(range(5))
    broker.publish(*(letter(id=id_) for id_ in ids))

    results = list(calls(NoTime(broker), "dead-letters.replay", {}))

    assert [one["replayed"] for one in results] == [1, 2, 3, 4, 5]
    assert {one["total"] for one in results} == {5}
    assert broker.ids(FAILED) == ids


def test_replay_is_stopped_between_two_calls(broker: Broker) -> None:
    ids = numbered(range(5))
    broker.publish(*(letter(id=id_) for id_ in ids))

    for result in calls(NoTime(broker), "dead-letters.replay", {}):
        if result["replayed"] == 2:
            break

    assert broker.ids(FAILED) == ids[:2]
    assert broker.ids(DEAD) == ids[2:]


def test_refused_letters_do_not_keep_it_from_ending(broker: Broker) -> None:
    broker.publish(letter(id="often", replays=3), letter(id="m-1"), letter(id="more", replays=3))

    *_, last = calls(NoTime(broker), "dead-letters.replay", {})

    assert (last["replayed"], [one["count"] for one in last["refused"]]) == (1, [2])
    assert broker.ids(FAILED) == ["m-1"]


def test_letter_that_fails_while_it_continues_waits_for_another_run(broker: Broker) -> None:
    broker.publish(letter(id="m-1"), letter(id="m-2"))

    results = calls(NoTime(broker), "dead-letters.replay", {})
    next(results)
    broker.publish(letter(id="m-1", replays=1))
    *_, last = results

    assert last["replayed"] == 2
    assert broker.ids(DEAD) == ["m-1"]
