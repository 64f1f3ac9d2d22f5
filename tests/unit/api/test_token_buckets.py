"""Environments that share a bucket, in any interleaving, with clocks that do not agree."""

from __future__ import annotations

import random
from itertools import count
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from allocation_api.token_buckets import BLOCK, TokenBuckets, TokenLimit

RATES = st.sampled_from((0.1, 1.0, 7.0, 50.0))


class SharedBuckets:
    """The buckets of the database, and the time of everybody."""

    def __init__(self) -> None:
        self.now = 0.0
        self.is_away = False
        self.taken = 0
        self._full_at: dict[str, float] = {}

    def take(self, name: str, seconds: float) -> float | None:
        if self.is_away:
            return None
        self.taken += 1
        self._full_at[name] = max(self._full_at.get(name, self.now), self.now) + seconds
        return self._full_at[name] - self.now


def environment(shared: SharedBuckets, offset: float, first_block: int = BLOCK) -> TokenBuckets:
    return TokenBuckets(shared.take, lambda: shared.now + offset, lambda: first_block)


def admit(buckets: TokenBuckets, limit: TokenLimit) -> bool:
    if buckets.wait("u1", limit):
        return False
    buckets.take("u1", limit)
    return True


class Step(NamedTuple):
    """Some requests at once to one of the environments, after a pause."""

    pause: float
    environment: int
    requests: int


STEPS = st.lists(
    st.builds(
        Step, st.sampled_from((0.0, 0.01, 0.5, 3.0, 60.0)), st.integers(0, 3), st.integers(1, 40)
    ),
    max_size=40,
)


@given(
    steps=STEPS,
    offsets=st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4),
    first_blocks=st.lists(st.integers(1, BLOCK), min_size=4, max_size=4),
    rate=RATES,
    burst=st.integers(1, 60),
)
def test_no_interleaving_of_environments_grants_more_than_bucket_and_blocks(
    steps: list[Step], offsets: list[float], first_blocks: list[int], rate: float, burst: int
) -> None:
    shared, limit = SharedBuckets(), TokenLimit(rate, burst)
    environments = [environment(shared, *each) for each in zip(offsets, first_blocks, strict=True)]
    granted: list[tuple[float, int]] = []

    for step in steps:
        shared.now += step.pause
        asked = environments[step.environment]
        granted.append((shared.now, sum(admit(asked, limit) for _ in range(step.requests))))

    for first, (start, _) in enumerate(granted):
        total = 0
        for end, number in granted[first:]:
            total += number
            most = burst + rate * (end - start) + len(environments) * BLOCK
            assert total <= most + 0.001


@given(steps=STEPS, rate=RATES, burst=st.integers(1, 60))
def test_without_shared_buckets_each_environment_keeps_to_the_limit_alone(
    steps: list[Step], rate: float, burst: int
) -> None:
    shared, limit = SharedBuckets(), TokenLimit(rate, burst)
    shared.is_away = True
    environments = [environment(shared, 0.0) for _ in range(4)]
    granted = [0, 0, 0, 0]

    for step in steps:
        shared.now += step.pause
        asked = environments[step.environment]
        granted[step.environment] += sum(admit(asked, limit) for _ in range(step.requests))

    assert max(granted) <= burst + rate * shared.now + BLOCK + 0.001


def test_a_caller_within_the_limit_is_not_refused_wherever_their_requests_arrive() -> None:
    shared, limit = SharedBuckets(), TokenLimit(per_second=10, burst=100)
    phases = random.Random(1)  # noqa: S311 - not a secret
    environments = [environment(shared, 0.0, phases.randint(1, BLOCK)) for _ in range(50)]

    for number in range(5000):
        shared.now = number / 10
        assert admit(environments[number % 50], limit), number


def test_one_request_in_ten_uses_the_shared_bucket_and_refused_ones_do_not() -> None:
    shared, limit = SharedBuckets(), TokenLimit(per_second=1, burst=100)
    asked = environment(shared, 0.0)

    admitted = [admit(asked, limit) for _ in range(1000)]

    assert sum(admitted) == 100 + BLOCK
    assert shared.taken == 11


def test_the_wait_ends_when_the_bucket_is_not_overdrawn_any_more() -> None:
    shared, limit = SharedBuckets(), TokenLimit(per_second=2, burst=20)
    asked = environment(shared, 0.0)
    while admit(asked, limit):
        pass

    wait = asked.wait("u1", limit)
    shared.now = wait - 0.001
    assert not admit(asked, limit)
    shared.now = wait
    assert admit(asked, limit)


def test_callers_have_buckets_of_their_own() -> None:
    shared, limit = SharedBuckets(), TokenLimit(per_second=1, burst=1)
    asked = environment(shared, 0.0)
    while admit(asked, limit):
        pass

    assert not asked.wait("u2", limit)


def test_an_environment_remembers_a_bounded_number_of_callers() -> None:
    shared, limit = SharedBuckets(), TokenLimit(per_second=1, burst=1)
    asked = environment(shared, 0.0)
    names = (f"user-{number}" for number in count())

    for name, _ in zip(names, range(10_001), strict=False):
        asked.take(name, limit)

    assert len(asked._buckets) == 1
