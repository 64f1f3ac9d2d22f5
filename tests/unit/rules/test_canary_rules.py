"""Canaries: nobody else can get one, and the mass-failure brake does not see them."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.bodies import SMALLEST
from scheduler.domain.brake import Brake, BrakeLimits, BrakeState
from scheduler.domain.model import CANARY_PREFIX, DeviceStatus, Health, canary_allocation
from scheduler.domain.state import Snapshot
from scheduler.domain.work import Work
from scheduler.ids import is_uuid
from scheduler.messaging.message import Message
from scheduler.pipeline.decide import decide
from scheduler.pipeline.outcome import Verdict
from tests.support.deciding import QUOTA, handling_of, parsed, run
from tests.support.events import QUEUE_OF, message
from tests.support.world import NOW, device, held, world

RUN = str(UUID(int=1))
CANARY = CANARY_PREFIX + RUN
DEVICE_EVENTS = [name for name in SMALLEST if name.startswith("device.")]
STATUSES = ["running", "stopped", "error", "canary"]


def event(event_type: str, **fields: Any) -> Message:  # noqa: ANN401 - any field
    return message(event_type, deviceId=CANARY, **fields)


def test_canary_is_allocated_to_its_user_when_it_is_created() -> None:
    decided = run(event("device.created"), on=Snapshot())

    (allocation,) = decided.work.active_allocations(device=CANARY)
    assert (allocation.id, allocation.user_id) == (canary_allocation(CANARY), CANARY)
    assert decided.work.device(CANARY).status is DeviceStatus.ALLOCATED
    assert CANARY in decided.work.changed_users
    (grant,) = decided.work.grants.values()
    assert grant.expires_at > NOW


def test_nobody_can_choose_the_id_of_a_canarys_allocation() -> None:
    (allocation,) = run(event("device.created"), on=Snapshot()).work.active_allocations(
        device=CANARY
    )

    assert allocation.id not in CANARY
    assert is_uuid(allocation.id)


def test_canary_that_is_created_twice_is_allocated_once() -> None:
    decided = run(event("device.created"), event("device.created"), on=Snapshot())

    assert len(decided.work.active_allocations(device=CANARY)) == 1


def test_canary_without_an_id_of_a_run_is_not_allocated() -> None:
    decided = run(message("device.created", deviceId=CANARY_PREFIX + "x"), on=Snapshot())

    assert not decided.work.active_allocations(device=CANARY_PREFIX + "x")


@given(
    events=st.lists(st.tuples(st.sampled_from(DEVICE_EVENTS), st.sampled_from(STATUSES))),
)
def test_canary_is_never_free_whatever_is_reported(events: list[tuple[str, str]]) -> None:
    statuses = {"device.created": "status", "device.status_changed": "newStatus"}
    sent = [event(name, **({statuses[name]: s} if name in statuses else {})) for name, s in events]

    work = run(*sent, on=Snapshot()).work

    assert not work.changed_free_devices()
    assert work.device(CANARY).health is not Health.RUNNING or CANARY not in work.devices


@pytest.mark.parametrize(("id_", "verdict"), [(CANARY, Verdict.DONE), ("d1", Verdict.HELD)])
def test_brake_neither_holds_nor_counts_a_canary(id_: str, verdict: Verdict) -> None:
    work = Work(world(held(id_), device("d2")), NOW, QUOTA)
    engaged = Brake(BrakeLimits(0.1, 1), BrakeState(engaged_at=NOW), NOW)
    batch = [parsed(message("device.failed", deviceId=id_))]

    outcomes = decide(batch, work, handling_of(QUEUE_OF["device.failed"]), {}, None, engaged)

    assert [one.verdict for one in outcomes] == [verdict]
    assert engaged.released == 0
