"""Message after message: duplicates, conflicts, failures, and what the next one sees."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.model import Health
from scheduler.domain.reasons import ReleaseReason
from scheduler.domain.state import Snapshot
from scheduler.domain.work import Work
from scheduler.messaging.message import Message
from scheduler.payments.ledger import Counted
from scheduler.pipeline.decide import decide
from scheduler.pipeline.event_rules import EventRules, Handling
from scheduler.pipeline.outcome import Outcome, Verdict
from tests.support.deciding import FAMILIES, QUOTA, handling_of, parsed, rules_of
from tests.support.events import EVENT_TYPES, QUEUE_OF, message
from tests.support.world import NOW, held, world

FAILED = QUEUE_OF["device.failed"]


def failed(id_: str, device_id: str = "d1", **fields: Any) -> Message:  # noqa: ANN401 - any field
    return message("device.failed", id=id_, deviceId=device_id, **fields)


def outcomes(
    *messages: Message,
    work: Work | None = None,
    handling: Handling | None = None,
    processed: Mapping[str, bytes] | None = None,
    counted: Counted | None = None,
) -> list[Outcome]:
    batch = [parsed(one) for one in messages]
    return decide(
        batch,
        work or Work(Snapshot(), NOW, QUOTA),
        handling or handling_of(messages[0].queue),
        processed or {},
        counted,
    )


def verdicts(*messages: Message, **more: Any) -> list[Verdict]:  # noqa: ANN401 - as above
    return [outcome.verdict for outcome in outcomes(*messages, **more)]


def choosy(work: Work, event: Any) -> None:  # noqa: ANN401 - any event
    work.set_device_health(event.device_id, Health.FAILED)
    for allocation in work.active_allocations(device=event.device_id):
        work.release(allocation, ReleaseReason.device_deleted())
    if event.reason == "boom":
        raise ZeroDivisionError("boom")


CHOOSY = Handling(handling_of(FAILED).contract, lambda event, work: choosy(work, event))


def test_processed_message_is_a_duplicate() -> None:
    sent = failed("a")
    stored = {"a": parsed(sent).identity.sha256}

    assert verdicts(sent, processed=stored) == [Verdict.DUPLICATE]


def test_message_that_is_twice_in_a_batch_is_applied_once() -> None:
    work = Work(world(held("d1")), NOW, QUOTA)

    assert verdicts(failed("a"), failed("a"), work=work) == [Verdict.DONE, Verdict.DUPLICATE]
    assert len(work.releases) == 1


def test_same_id_with_another_body_is_a_conflict() -> None:
    first, second = outcomes(failed("a"), failed("a", "d2"))

    assert (first.verdict, second.verdict) == (Verdict.DONE, Verdict.CONFLICT)
    assert second.error == "conflicting duplicate: message a came before with another body"


def test_conflict_with_a_processed_message_changes_nothing() -> None:
    work = Work(world(held("d1")), NOW, QUOTA)

    assert verdicts(failed("a"), work=work, processed={"a": b"other"}) == [Verdict.CONFLICT]
    assert not work.changed_devices


def test_outdated_message_is_recorded_as_processed() -> None:
    new, old = failed("new", version=2), failed("old", version=1)

    assert verdicts(new, old, old) == [Verdict.DONE, Verdict.OUTDATED, Verdict.DUPLICATE]


def test_failing_rule_affects_only_its_message() -> None:
    work = Work(world(held("d1"), held("d2"), held("d3")), NOW, QUOTA)
    batch = [failed("a", "d1"), failed("b", "d2", reason="boom"), failed("c", "d3")]

    found = outcomes(*batch, work=work, handling=CHOOSY)

    assert [one.verdict for one in found] == [Verdict.DONE, Verdict.FAILED, Verdict.DONE]
    assert found[1].error == "ZeroDivisionError: boom"
    assert list(work.changed_devices) == ["d1", "d3"]
    assert [one.device_id for one in work.active_allocations(user="u1")] == ["d2"]
    assert len(work.changed_marks) == len(work.notices) == 2


def test_failed_message_is_not_recorded_as_processed() -> None:
    once = failed("b", reason="boom")

    assert verdicts(once, once, handling=CHOOSY) == [Verdict.FAILED, Verdict.FAILED]


@pytest.mark.parametrize(
    ("outcome", "verdict", "error"),
    [
        ("refused", Verdict.FAILED, "no room"),
        ("postponed", Verdict.PARKED, "parked: no room"),
    ],
)
def test_payment_that_cannot_be_counted_fails_or_is_parked_alone(
    outcome: str, verdict: Verdict, error: str
) -> None:
    batch = [message("billing.payment_failed", id=id_) for id_ in "ab"]
    queue = QUEUE_OF["billing.payment_failed"]
    work = Work(Snapshot(), NOW, QUOTA, {f"{queue}:b": 1})
    uncounted: dict[str, Any] = {outcome: {f"{queue}:a": "no room"}}

    found = outcomes(*batch, work=work, counted=Counted({f"{queue}:b": 1}, **uncounted))

    assert [one.verdict for one in found] == [verdict, Verdict.DONE]
    assert found[0].error == error


def test_failed_payment_before_a_reset_is_outdated() -> None:
    queue = QUEUE_OF["billing.payment_failed"]
    counted = Counted(superseded={f"{queue}:a"})

    assert verdicts(message("billing.payment_failed", id="a"), counted=counted) == [
        Verdict.OUTDATED
    ]


@given(ids=st.lists(st.sampled_from("abcd"), min_size=1, max_size=12))
def test_only_the_first_copy_of_a_message_is_applied(ids: list[str]) -> None:
    found = verdicts(*(failed(id_, f"d-{id_}") for id_ in ids))

    expected = [
        Verdict.DUPLICATE if id_ in ids[:index] else Verdict.DONE for index, id_ in enumerate(ids)
    ]
    assert found == expected


# -- the table of rules ------------------------------------------------------------------


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_every_queue_has_a_rule_in_its_own_family_only(event_type: str) -> None:
    queue = QUEUE_OF[event_type]
    handling = handling_of(queue)

    assert handling.contract.event_type == event_type
    others = [rules for rules in FAMILIES.values() if rules is not rules_of(queue)]
    assert [rules.of_queue(queue) for rules in others] == [None, None]


@pytest.mark.parametrize("queue", ["", "scheduler.device-exploded", "device.failed", "x\x00"])
def test_foreign_queue_has_no_rule(queue: str) -> None:
    assert rules_of(FAILED).of_queue(queue) is None


def test_registering_a_rule_returns_it_unchanged() -> None:
    events = EventRules()
    contract = handling_of(FAILED).contract

    def rule(event: Any, work: Work) -> None:  # noqa: ANN401 - any event
        raise NotImplementedError(event, work)

    assert events.on(contract)(rule) is rule
    assert events.contracts == {"device.failed": contract}


def test_error_of_what_an_outdated_event_still_changes_fails_its_message_only() -> None:
    created = QUEUE_OF["device.created"]
    rule = handling_of(created)

    def fail(event: Any, work: Work) -> None:  # noqa: ANN401 - any event
        work.set_device_health(event.device_id, Health.FAILED)
        raise ZeroDivisionError("boom")

    batch = [
        message("device.created", deviceId="d1", version=2),
        message("device.created", deviceId="d1", version=1),
    ]
    work = Work(Snapshot(), NOW, QUOTA)

    assert verdicts(*batch, work=work, handling=rule._replace(if_outdated=fail)) == [
        Verdict.DONE,
        Verdict.FAILED,
    ]
    assert work.device("d1").health is Health.RUNNING


def test_each_outcome_counts_only_what_its_own_message_caused() -> None:
    work = Work(world(held("d1"), held("d2")), NOW, QUOTA)

    found = outcomes(failed("m1", "d1"), failed("m2", "d2"), failed("m3", "d3"), work=work)

    assert [(one.released, one.notified, one.account_notices) for one in found] == [
        (("device_failed",), 1, 0),
        (("device_failed",), 1, 0),
        ((), 0, 0),
    ]
