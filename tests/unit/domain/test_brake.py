"""The mass-failure brake: how much is believed, and what is held."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.brake import Brake, BrakeLimits, BrakeState
from tests.support.world import MINUTE, NOW, SECOND

LIMITS = BrakeLimits(share=0.2, devices=20)


def brake(limits: BrakeLimits = LIMITS, **state: object) -> Brake:
    return Brake(limits, BrakeState(**{"running": 1000, **state}), NOW)  # type: ignore[arg-type]  # any field


def let_through(made: Brake, messages: int) -> int:
    return sum(made.admit(1) for _ in range(messages))


@pytest.mark.parametrize(
    ("running", "believed"), [(0, 20), (100, 20), (101, 20), (104, 20), (105, 21), (1000, 200)]
)
def test_a_share_of_the_running_devices_is_believed_and_twenty_in_any_case(
    running: int, believed: int
) -> None:
    made = brake(running=running)

    assert let_through(made, 300) == believed
    assert (made.released, made.held, made.tripped) == (believed, 300 - believed, True)


def test_the_limit_itself_is_believed() -> None:
    made = brake()

    assert let_through(made, 200) == 200
    assert not made.tripped


def test_what_was_released_within_the_minute_counts_and_has_run_until_then() -> None:
    made = brake(running=850, recent_releases=150)

    assert let_through(made, 100) == 50


def test_what_releases_nothing_is_never_held() -> None:
    made = brake(engaged_at=NOW - MINUTE)

    assert made.admit(0)
    assert not made.admit(1)
    assert made.admit(0)
    assert (made.released, made.held) == (0, 1)


def test_engaged_it_holds_everything_and_does_not_trip_again() -> None:
    made = brake(engaged_at=NOW - timedelta(days=1))

    assert let_through(made, 500) == 0
    assert not made.tripped


def test_open_it_lets_everything_through_and_still_counts() -> None:
    made = brake(open_until=NOW + SECOND)

    assert let_through(made, 500) == 500
    assert (made.released, made.tripped) == (500, False)


def test_when_its_time_is_over_the_limit_decides_again() -> None:
    assert let_through(brake(open_until=NOW), 500) == 200


def test_a_share_of_one_holds_nothing() -> None:
    assert let_through(brake(BrakeLimits(1, 20), running=0, recent_releases=10**6), 500) == 500


@given(
    releases=st.lists(st.integers(0, 30), max_size=60),
    running=st.integers(0, 500),
    recent=st.integers(0, 100),
)
def test_never_more_than_the_limit_and_nothing_after_the_first_that_was_held(
    releases: list[int], running: int, recent: int
) -> None:
    made = brake(running=running, recent_releases=recent)
    fates = [made.admit(count) for count in releases]

    passed = sum(count for count, fate in zip(releases, fates, strict=True) if fate)
    assert made.released == passed
    assert not passed or recent + passed <= made.limit
    if not all(fates):
        first = fates.index(False)
        assert made.tripped
        assert not any(n and f for n, f in zip(releases[first:], fates[first:], strict=True))
