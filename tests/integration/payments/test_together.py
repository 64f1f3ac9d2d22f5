"""Counting many users in one transaction gives the same result as counting one by one."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.payments.counter import PaymentFailures
from scheduler.payments.failure import Failure
from scheduler.payments.ledger import PaymentLedger
from tests.integration.payments.conftest import (
    TTL,
    ReadableCounter,
    WatchedClient,
    counter_with,
    failures,
)
from tests.support.counter import FakeCounter
from tests.support.deciding import parsed
from tests.support.events import message
from tests.support.together import together
from tests.support.world import MINUTE, NOW

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_runs = count()


def counts(counter: ReadableCounter, batch: list[Failure]) -> dict[str, int | None]:
    """Count a batch as the ledger does: together, then the missing ones one by one."""
    counted = counter.count_together(
        [Failure(one.user_id, f"{one.user_id}:{one.message_id}", one.at) for one in batch], NOW
    )
    return {
        one.user_id: counted[key]
        if key in counted
        else counter.count(one.user_id, key, one.at, NOW)
        for one in batch
        for key in [f"{one.user_id}:{one.message_id}"]
    }


def test_each_user_has_a_separate_count(counter: ReadableCounter) -> None:
    counter.count("u2", "before", NOW, NOW)

    assert counts(counter, failures("u1", "u2", "用户 😀")) == {"u1": 1, "u2": 2, "用户 😀": 1}
    assert [counter.current(user, NOW) for user in ("u1", "u2", "用户 😀")] == [1, 2, 1]


def test_repeated_failures_are_counted_once(counter: ReadableCounter) -> None:
    first = counts(counter, failures("u1", "u2"))

    assert counts(counter, failures("u1", "u2", "u3")) == {**first, "u3": 1}


def test_late_failure_does_not_move_the_newest_back(counter: ReadableCounter) -> None:
    counter.count("u1", "new", NOW, NOW)
    counts(counter, failures("u1", "u2", minute=-5))

    counter.reset("u1", NOW - MINUTE, NOW)

    assert counter.current("u1", NOW) == 1


# -- compared with counting one by one --

users = st.sampled_from("abcdef")
steps = st.one_of(
    st.tuples(
        st.just("count"),
        st.lists(
            st.tuples(users, st.sampled_from("xyz"), st.integers(0, 4)),
            unique_by=lambda failure: failure[:2],
        ),
    ),
    st.tuples(st.just("reset"), st.tuples(users, st.integers(0, 4))),
    st.tuples(st.just("wait"), st.integers(1, 8)),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(steps, max_size=10))
def test_any_history_of_batches_gives_the_same_counts_as_one_by_one(
    dynamodb: PaymentFailures, history: list[tuple[str, Any]]
) -> None:
    model, now, run = FakeCounter(), NOW, next(_runs)

    for step, what in history:
        match step:
            case "count":
                batch = [
                    Failure(f"{run}{user}", f"{user}{id_}", now + minute * MINUTE)
                    for user, id_, minute in what
                ]
                expected = {one.message_id: model.count(*one, now) for one in batch}
                assert (dynamodb.count_together(batch, now) if batch else {}) == expected
            case "reset":
                user, minute = what
                for counter in (model, dynamodb):
                    counter.reset(f"{run}{user}", now + minute * MINUTE, now)
            case _:
                now += timedelta(days=what)
        for user in "abcdef":
            assert dynamodb.current(f"{run}{user}", now) == model.current(f"{run}{user}", now)


# -- concurrent writers --

others = st.lists(
    st.tuples(users, st.sampled_from(["count", "reset"]), st.integers(0, 4)), max_size=6
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=others, meanwhile=others)
def test_writes_between_read_and_transaction_lose_and_double_nothing(
    client: "DynamoDBClient",
    dynamodb: PaymentFailures,
    before: list[tuple[str, str, int]],
    meanwhile: list[tuple[str, str, int]],
) -> None:
    model, run = FakeCounter(), next(_runs)

    def write(moves: list[tuple[str, str, int]], name: str) -> None:
        for number, (user, what, minute) in enumerate(moves):
            for counter in (model, dynamodb):
                if what == "count":
                    counter.count(f"{run}{user}", f"{name}{number}", NOW + minute * MINUTE, NOW)
                else:  # half a minute from any failure, so that the order does not matter
                    counter.reset(f"{run}{user}", NOW + (minute + 0.5) * MINUTE, NOW)

    write(before, "before")
    between = WatchedClient(client, transact_write_items=lambda: write(meanwhile, "meanwhile"))
    batch = failures(*(f"{run}{user}" for user in "abcdef"), minute=2)
    counts(counter_with(between), batch)
    counts(model, batch)

    for user in "abcdef":
        assert dynamodb.current(f"{run}{user}", NOW) == model.current(f"{run}{user}", NOW)


def test_user_with_a_conflict_is_left_out_and_the_others_are_counted(
    client: "DynamoDBClient", dynamodb: PaymentFailures
) -> None:
    watched = WatchedClient(
        client, transact_write_items=lambda: dynamodb.count("u2", "another", NOW, NOW)
    )
    batch = [Failure(user, f"of-{user}", NOW) for user in ("u1", "u2", "u3")]

    assert counter_with(watched).count_together(batch, NOW) == {"of-u1": 1, "of-u3": 1}
    assert watched.calls == ["batch_get_item", "transact_write_items", "transact_write_items"]
    assert [dynamodb.current(user, NOW) for user in ("u1", "u2", "u3")] == [1, 1, 1]
    assert dynamodb.count("u2", "of-u2", NOW, NOW) == 2


def test_failures_replaced_concurrently_are_not_restored(
    client: "DynamoDBClient", dynamodb: PaymentFailures
) -> None:
    def replaced_by(id_: str) -> None:
        """Leave the same count and times under another message id."""
        dynamodb.reset("u1", NOW, NOW)
        dynamodb.count("u1", id_, NOW, NOW)

    replaced_by("old")
    watched = WatchedClient(client, transact_write_items=lambda: replaced_by("new"))

    counts(counter_with(watched), failures("u1", "u2"))

    assert dynamodb._table.get("u1")["message_ids"] == {"new", "u1:a"}


def test_each_count_is_returned_to_exactly_one_concurrent_writer(dynamodb: PaymentFailures) -> None:
    """The service stops at the third failure, so exactly one writer must see it."""
    ids = ["u1", "u2", "u3"]

    def counting(n: int) -> Callable[[], dict[str, int | None]]:
        return lambda: counts(dynamodb, failures(*ids, id_=str(n)))

    counted = together(*map(counting, range(6)))

    for user in ids:
        assert sorted(each[user] or 0 for each in counted) == [1, 2, 3, 4, 5, 6]


def test_expired_item_restarts_without_its_reset_marker(client: "DynamoDBClient") -> None:
    dynamodb = counter_with(client)
    for user in ("u1", "u2"):
        dynamodb.count(user, "old", NOW - TTL, NOW - TTL)
        dynamodb.reset(user, NOW - TTL, NOW - TTL)

    assert counts(dynamodb, failures("u1", "u2")) == {"u1": 1, "u2": 1}
    assert "last_reset_at" not in dynamodb._table.get("u1")


# -- cost --


@pytest.mark.parametrize(
    ("number", "calls"),
    [
        (1, {"update_item": 1}),
        (10, {"batch_get_item": 1, "transact_write_items": 1}),
        (100, {"batch_get_item": 1, "transact_write_items": 1}),
        (250, {"batch_get_item": 3, "transact_write_items": 3}),
    ],
)
def test_batch_costs_two_calls_per_hundred_users_and_only_reads_when_repeated(
    client: "DynamoDBClient", number: int, calls: dict[str, int]
) -> None:
    batch = [parsed(message("billing.payment_failed", userId=f"u{n}")) for n in range(number)]
    watched, again = WatchedClient(client), WatchedClient(client)

    PaymentLedger(counter_with(watched)).apply(batch, NOW)
    PaymentLedger(counter_with(again)).apply(batch, NOW)

    assert Counter(watched.calls) == calls
    assert "transact_write_items" not in again.calls


def test_hundred_failures_of_one_user_cost_two_calls(client: "DynamoDBClient") -> None:
    batch = [parsed(message("billing.payment_failed", id=f"m{n}")) for n in range(100)]
    watched = WatchedClient(client)

    counted = PaymentLedger(counter_with(watched)).apply(batch, NOW)

    assert list(counted.counts.values()) == list(range(1, 101))
    assert Counter(watched.calls) == {"batch_get_item": 1, "transact_write_items": 1}
