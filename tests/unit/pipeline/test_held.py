"""Messages that the mass-failure brake holds, and what they mean for others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.domain.brake import Brake, BrakeLimits, BrakeState
from scheduler.domain.model import Health
from scheduler.domain.work import Work
from scheduler.pipeline.decide import decide
from scheduler.pipeline.outcome import Verdict
from tests.support.deciding import QUOTA, handling_of, parsed
from tests.support.events import QUEUE_OF, message
from tests.support.world import NOW, SECOND, held, world

if TYPE_CHECKING:
    from scheduler.messaging.message import Message

FAILED = QUEUE_OF["device.failed"]


def failed(id_: str, device_id: str = "d1") -> Message:
    return message("device.failed", id=id_, deviceId=device_id)


def test_message_beyond_the_limit_of_the_brake_is_held_and_releases_nothing() -> None:
    brake = Brake(BrakeLimits(share=0.1, devices=1), BrakeState(), NOW)
    work = Work(world(held("d1"), held("d2")), NOW, QUOTA)
    batch = [parsed(failed("m1", "d1")), parsed(failed("m2", "d2"))]

    found = decide(batch, work, handling_of(FAILED), {}, None, brake)

    assert [outcome.verdict for outcome in found] == [Verdict.DONE, Verdict.HELD]
    assert [one.allocation.device_id for one in work.releases.values()] == ["d1"]
    assert [notice.allocation_id for notice in work.notices.values()] == ["allocation-of-d1"]


def test_device_of_a_held_message_leaves_the_pool() -> None:
    brake = Brake(BrakeLimits(share=0.1, devices=1), BrakeState(engaged_at=NOW), NOW)
    work = Work(world(held("d1")), NOW, QUOTA)

    decide([parsed(failed("m1", "d1"))], work, handling_of(FAILED), {}, None, brake)

    assert work.device("d1").health is Health.FAILED
    assert work.changed_marks == {}


def test_brake_counts_the_releases_of_each_message_once() -> None:
    brake = Brake(BrakeLimits(share=0.1, devices=3), BrakeState(), NOW)
    work = Work(world(held("d1"), held("d2"), held("d3")), NOW, QUOTA)
    batch = [parsed(failed(f"m{n}", f"d{n}")) for n in (1, 2, 3)]

    found = decide(batch, work, handling_of(FAILED), {}, None, brake)

    assert {outcome.verdict for outcome in found} == {Verdict.DONE}
    assert brake.released == 3


def test_held_message_does_not_outdate_a_copy_of_it_that_was_received_earlier() -> None:
    brake = Brake(BrakeLimits(share=0.1, devices=1), BrakeState(engaged_at=NOW), NOW)
    earlier, later = (parsed(failed("m1"), now) for now in (NOW - SECOND, NOW))
    work = Work(world(held("d1")), NOW, QUOTA)

    (first,) = decide([later], work, handling_of(FAILED), {}, None, brake)
    released = decide([earlier, later], work, handling_of(FAILED), {})

    assert first.verdict is Verdict.HELD
    assert [one.verdict for one in released] == [Verdict.DONE, Verdict.DUPLICATE]
    assert len(work.releases) == 1


def test_held_report_whose_version_is_not_newer_does_not_keep_a_device_from_running() -> None:
    brake = Brake(BrakeLimits(share=0.1, devices=1), BrakeState(engaged_at=NOW), NOW)
    work = Work(world(held("d1")), NOW, QUOTA)
    stopped = message("device.status_changed", deviceId="d1", newStatus="stopped", version=1)
    running = message(
        "device.status_changed", deviceId="d1", newStatus="running", version=1, at=NOW - SECOND
    )
    handling = handling_of(stopped.queue)

    (first,) = decide([parsed(stopped)], work, handling, {}, None, brake)
    later = decide([parsed(running), parsed(stopped)], work, handling, {})

    assert first.verdict is Verdict.HELD
    assert [one.verdict for one in later] == [Verdict.DONE, Verdict.OUTDATED]
    assert work.device("d1").health is Health.RUNNING
