"""The mass-failure brake: how many releases it allows, and which messages it holds."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.brake import Brake, BrakeLimits, BrakeState
from tests.support.world import MINUTE, NOW, SECOND

LIMITS = BrakeLimits(share=0.2, devices=20)


def brake(limits: BrakeLimits = LIMITS, **state: object) -> Brake:
    return Brake(limits, BrakeState(**{"running": 1000, **state}), NOW)  # type: ignore[arg-type]  # any field


def admitted(made: Brake, messages: int) -> int:
    return sum(made.admit(1) for _ in range(messages))


@pytest.mark.parametrize(
    ("running", "allowed"), [(0, 20), (100, 20), (101, 20), (104, 20), (105, 21), (1000, 200)]
)
def test_a_share_of_the_running_devices_is_allowed_but_at_least_twenty(
    running: int, allowed: int
) -> None:
    made = brake(running=running)

    assert admitted(made, 300) == allowed
    assert (made.released, made.held, made.tripped) == (allowed, 300 - allowed, True)


def test_the_limit_itself_is_allowed() -> None:
    made = brake()

    assert admitted(made, 200) == 200
    assert not made.tripped


def test_recent_releases_count() -> None:
    made = brake(running=1000, recent_releases=150)

    assert admitted(made, 100) == 50


def test_a_message_that_releases_nothing_is_never_held() -> None:
    made = brake(engaged_at=NOW - MINUTE)

    assert made.admit(0)
    assert not made.admit(1)
    assert made.admit(0)
    assert (made.released, made.held) == (0, 1)


def test_an_engaged_brake_holds_all_releases_and_does_not_trip_again() -> None:
    made = brake(engaged_at=NOW - timedelta(days=1))

    assert admitted(made, 500) == 0
    assert not made.tripped


def test_an_open_brake_allows_all_releases_and_still_counts_them() -> None:
    made = brake(open_until=NOW + SECOND)

    assert admitted(made, 500) == 500
    assert (made.released, made.tripped) == (500, False)


def test_the_limit_applies_again_when_the_brake_is_no_longer_open() -> None:
    assert admitted(brake(open_until=NOW), 500) == 200


def test_a_share_of_one_holds_nothing() -> None:
    assert admitted(brake(BrakeLimits(1, 20), running=0, recent_releases=10**6), 500) == 500


@given(
    releases=st.lists(st.integers(0, 30), max_size=60),
    running=st.integers(0, 500),
    recent=st.integers(0, 100),
)
def test_the_limit_is_never_exceeded_and_all_releases_after_the_first_held_one_are_held(
    releases: list[int], running: int, recent: int
) -> None:
    made = brake(running=running, recent_releases=recent)
    results = [made.admit(count) for count in releases]

    passed = sum(count for count, result in zip(releases, results, strict=True) if result)
    assert made.released == passed
    assert not passed or recent + passed <= made.limit
    if not all(results):
        first = results.index(False)
        assert made.tripped
        assert not any(n and f for n, f in zip(releases[first:], results[first:], strict=True))
