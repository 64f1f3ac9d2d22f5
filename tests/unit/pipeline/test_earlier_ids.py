"""Which of the ids that a content was given before a message gets when it comes again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from scheduler.database.unidentified import GivenId
from scheduler.messaging.message import (
    IDENTITY_HEADER,
    UNCLAIMED_BATCH_HEADER,
    UNKNOWN_IDENTITY,
)
from scheduler.messaging.validate import Parsed, parse
from scheduler.pipeline.earlier_ids import ENDED_SINCE, EarlierIds
from scheduler.pipeline.neighbours import Neighbours
from tests.support.events import message
from tests.support.world import MINUTE, NOW, SECOND
from user_events.contracts import UserSuspended

if TYPE_CHECKING:
    from datetime import datetime

BATCH: Final = "batch"
ALONE: Final = Neighbours()


def suspended(
    *, redelivered: bool = False, parked_in: str = "", unknown: bool = False, at: datetime = NOW
) -> Parsed:
    """Return a message without an id: redelivered, or parked in a batch by a run that died."""
    headers = {UNCLAIMED_BATCH_HEADER: parked_in} if parked_in else {}
    headers |= {IDENTITY_HEADER: UNKNOWN_IDENTITY} if unknown else {}
    sent = message("user.suspended", id=None, redelivered=redelivered, headers=headers)
    return parse(sent, UserSuspended, NOW)._replace(received_at=at)


CONTENT: Final = suspended().identity.sha256


def given(id_: str = "a", **fields: Any) -> GivenId:  # noqa: ANN401 - any field of GivenId
    """Return an id that a run has claimed a minute ago for a message of this batch, and ended."""
    usual = GivenId(
        id_, CONTENT, NOW - MINUTE, seen_late=False, claimed_at=NOW - MINUTE,
        batch_key=BATCH, parked_batch="", key_before="", key_after="", run_ended=True,
    )  # fmt: skip
    return usual._replace(**fields)


def taken(
    parsed: Parsed, *seen: GivenId, again: str = "", next_to: Neighbours = ALONE
) -> str | None:
    found = EarlierIds(seen, {again} if again else set(), NOW).take(parsed, next_to)
    return found.message_id if found else None


def test_ids_that_runs_left_are_taken_in_the_order_of_their_claims_and_each_once() -> None:
    left = [
        given("b", run_ended=False),
        given("a", run_ended=False),
        given("c", run_ended=False, claimed_at=NOW - 2 * MINUTE),
    ]
    ids = EarlierIds(left, (), NOW)

    found = [ids.take(suspended(redelivered=True), ALONE) for _ in range(4)]

    assert [one and one.message_id for one in found] == ["c", "a", "b", None]


def test_a_message_that_the_broker_delivers_for_the_first_time_has_no_id_before() -> None:
    assert taken(suspended(), given(run_ended=False), again=BATCH) is None


@pytest.mark.parametrize("batch", [{"batch_key": BATCH}, {"batch_key": "", "parked_batch": BATCH}])
def test_a_redelivered_message_of_a_batch_that_comes_again_is_recognised(
    batch: dict[str, str],
) -> None:
    assert taken(suspended(redelivered=True), given(**batch), again=BATCH) == "a"
    assert taken(suspended(redelivered=True), given(**batch), again="another") is None


@pytest.mark.parametrize(
    ("age", "found"), [(ENDED_SINCE, "a"), (ENDED_SINCE + timedelta(microseconds=1), None)]
)
def test_a_batch_may_come_again_for_an_hour_after_its_run(
    age: timedelta, found: str | None
) -> None:
    before = given(claimed_at=NOW - age)

    assert taken(suspended(redelivered=True), before, again=BATCH) == found


@pytest.mark.parametrize(
    ("next_to", "found"),
    [
        (Neighbours("x", "y"), "a"),
        (Neighbours("x", ""), "a"),
        (Neighbours("", "y"), "a"),
        (Neighbours("y", "x"), None),
        (ALONE, None),
    ],
)
def test_a_redelivered_message_is_recognised_by_what_it_is_next_to(
    next_to: Neighbours, found: str | None
) -> None:
    before = given(key_before="x", key_after="y")

    assert taken(suspended(redelivered=True), before, next_to=next_to) == found
    assert taken(suspended(), before, next_to=next_to) is None


def test_messages_at_the_ends_of_their_batches_are_not_next_to_the_same() -> None:
    assert taken(suspended(redelivered=True), given(), next_to=ALONE) is None


def test_the_neighbours_decide_before_the_age_of_a_claim() -> None:
    seen = [given("a", run_ended=False), given("b", key_before="x")]

    assert taken(suspended(redelivered=True), *seen, next_to=Neighbours("x", "")) == "b"


@pytest.mark.parametrize(
    ("age", "found"), [(ENDED_SINCE, "a"), (ENDED_SINCE + timedelta(microseconds=1), None)]
)
def test_the_neighbours_are_known_for_an_hour_after_the_run(
    age: timedelta, found: str | None
) -> None:
    before = given(claimed_at=NOW - age, key_before="x")

    assert taken(suspended(redelivered=True), before, next_to=Neighbours("x", "")) == found


def test_a_parked_copy_is_what_came_late_in_its_batch_since() -> None:
    copy = suspended(parked_in=BATCH, at=NOW - 2 * MINUTE)

    assert taken(copy, given(seen_late=True)) == "a"
    assert taken(copy, given(seen_late=True, batch_key="", parked_batch=BATCH)) == "a"


@pytest.mark.parametrize(
    "other",
    [
        {"seen_late": False},
        {"seen_late": True, "batch_key": "another"},
        {"seen_late": True, "claimed_at": NOW - 2 * MINUTE},
        {"seen_late": True, "claimed_at": NOW - 3 * MINUTE, "received_at": NOW - 3 * MINUTE},
    ],
)
def test_a_parked_copy_is_no_message_that_was_there_before_or_in_another_batch(
    other: dict[str, Any],
) -> None:
    assert taken(suspended(parked_in=BATCH, at=NOW - 2 * MINUTE), given(**other)) is None


@pytest.mark.parametrize(
    ("before", "found"),
    [
        ({"seen_late": True}, "a"),
        ({"seen_late": True, "claimed_at": NOW - 3 * MINUTE}, None),
        ({}, None),
        ({"parked_batch": BATCH, "received_at": NOW - 2 * MINUTE}, None),
    ],
)
def test_a_parked_copy_is_also_recognised_by_what_its_original_was_next_to(
    before: dict[str, Any], found: str | None
) -> None:
    copy = suspended(parked_in=BATCH, at=NOW - 2 * MINUTE)
    row = given(**{"batch_key": "another", "key_before": "x", **before})

    assert taken(copy, row, next_to=Neighbours("x", "")) == found
    assert taken(copy, row._replace(key_before="y"), next_to=Neighbours("x", "")) is None


@pytest.mark.parametrize(
    ("before", "found"),
    [
        ({"parked_batch": BATCH}, "a"),
        ({"parked_batch": "another"}, None),
        ({"parked_batch": BATCH, "received_at": NOW - MINUTE}, None),
        ({"parked_batch": BATCH, "key_before": "y"}, None),
    ],
)
def test_a_copy_that_was_redelivered_and_parked_once_more_has_the_time_of_the_first(
    before: dict[str, Any], found: str | None
) -> None:
    parked_at = NOW - 2 * MINUTE
    copy = suspended(parked_in=BATCH, unknown=True, at=parked_at)
    row = given(**{"batch_key": "another", "key_before": "x", "received_at": parked_at, **before})

    assert taken(copy, row, next_to=Neighbours("x", "")) == found


@pytest.mark.parametrize(
    ("claimed_before", "found"),
    [(ENDED_SINCE, "a"), (ENDED_SINCE + timedelta(microseconds=1), None)],
)
def test_a_redelivered_message_that_was_parked_is_one_that_was_received_before_it(
    claimed_before: timedelta, found: str | None
) -> None:
    parked_at = NOW - 2 * MINUTE
    copy = suspended(parked_in=BATCH, unknown=True, at=parked_at)
    before = given(received_at=parked_at - SECOND, claimed_at=parked_at - claimed_before)

    assert taken(copy, before) == found


def test_a_message_received_at_the_time_of_the_parked_one_is_another() -> None:
    parked_at = NOW - 2 * MINUTE
    copy = suspended(parked_in=BATCH, unknown=True, at=parked_at)

    assert taken(copy, given(received_at=parked_at, claimed_at=parked_at)) is None
