"""The next write to a user's item: failures and resets at the same microsecond."""

from __future__ import annotations

from datetime import timedelta

import pytest

from scheduler.payments.failure import Failure
from scheduler.payments.item import KnownCount, count_all, count_next, reset_next
from scheduler.payments.notation import text
from tests.support.world import HOUR, NOW

AT = NOW + timedelta(microseconds=5)
WRITTEN = "2026-03-01T12:00:00.000005Z"
LATER = "2026-03-01T12:00:00.000006Z"


def failure(id_: str = "m") -> Failure:
    return Failure("u1", id_, AT)


def test_failure_at_the_instant_of_a_reset_is_counted() -> None:
    assert not isinstance(count_next({"last_reset_at": WRITTEN}, failure(), NOW), KnownCount)
    assert count_next({"last_reset_at": LATER}, failure(), NOW) == KnownCount(None)


@pytest.mark.parametrize(("newest", "moves"), [(WRITTEN, True), (LATER, False)])
def test_time_of_the_last_failure_is_not_moved_back(newest: str, *, moves: bool) -> None:
    item = {"failure_count": 1, "message_ids": {"other"}, "last_failure_at": newest}

    step = count_next(item, failure(), NOW)

    assert not isinstance(step, KnownCount)
    assert ("last_failure_at = :at" in step[0].update) is moves


def test_reset_at_the_instant_of_another_is_made_again() -> None:
    assert reset_next({"last_reset_at": WRITTEN}, AT) is not None
    assert reset_next({"last_reset_at": LATER}, AT) is None


@pytest.mark.parametrize(
    ("failed", "left"), [({WRITTEN}, None), ({WRITTEN, LATER}, {"SS": [f"{LATER} m"]})]
)
def test_reset_forgets_the_failures_of_its_instant(
    failed: set[str], left: dict[str, list[str]] | None
) -> None:
    entries = {f"{at} m" for at in failed}

    step = reset_next({"failures": entries, "last_failure_at": max(failed)}, AT)

    assert step
    assert step[1].get(":kept") == left


def test_failure_after_a_reset_keeps_the_time_of_the_reset() -> None:
    read = {"user_id": text("u1"), "last_reset_at": text(WRITTEN)}

    counted = count_all(read, [failure()], NOW, NOW + HOUR)

    assert counted.counts == {"m": 1}
    assert counted.put
    assert counted.put["Item"]["last_reset_at"] == text(WRITTEN)


def test_put_is_made_only_if_the_item_is_as_it_was_read() -> None:
    read = {"user_id": text("u1"), "last_reset_at": text(WRITTEN)}

    put = count_all(read, [failure()], NOW, NOW + HOUR).put

    assert put
    assert put["ExpressionAttributeValues"] == {":last_reset_at": text(WRITTEN)}
    assert set(put["ConditionExpression"].split(" AND ")) == {
        "last_reset_at = :last_reset_at",
        "attribute_not_exists(failure_count)",
        "attribute_not_exists(message_ids)",
        "attribute_not_exists(failures)",
        "attribute_not_exists(last_failure_at)",
        "attribute_not_exists(expires_at)",
    }
