"""What is started last must end before the function's timeout."""

import time
from types import SimpleNamespace

import pytest

from local.template import deployed_function
from scheduler.deadline import NEVER, Deadline

LONGEST_TRANSACTION = 3 * (3 + 3)
"""Seconds: three attempts, each of which waits for the locks of users, then of devices."""

NOW = 1000.0
"""The time of the clock where it stands still."""


def test_consumer_starts_nothing_that_its_timeout_could_interrupt() -> None:
    timeout = deployed_function("device-events")["Timeout"]
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: timeout * 1000)

    latest_end = Deadline.of(context).at + LONGEST_TRANSACTION

    assert latest_end < time.monotonic() + timeout


def test_share_of_the_time_left_ends_earlier() -> None:
    deadline = Deadline(time.monotonic() + 80)

    assert deadline.after_share(0.5).seconds_left == pytest.approx(40, abs=1)
    assert NEVER.after_share(0.5) == NEVER


@pytest.mark.parametrize(("timeout", "usable"), [(120, 96), (10, 8), (3, 2), (2, 1)])
def test_fifth_of_the_time_is_reserved_but_at_least_a_second(
    monkeypatch: pytest.MonkeyPatch, timeout: int, usable: int
) -> None:
    stop_clock(monkeypatch)
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: timeout * 1000)

    assert Deadline.of(context) == Deadline(NOW + usable)


def test_last_statement_may_take_nearly_the_whole_time(monkeypatch: pytest.MonkeyPatch) -> None:
    stop_clock(monkeypatch)
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 24_000)

    assert Deadline.to_finish(context) == Deadline(NOW + 23)
    assert Deadline.to_finish(None) == NEVER


@pytest.mark.parametrize(("at", "passed"), [(0.5, False), (0, True), (-0.5, True)])
def test_deadline_has_passed_once_no_time_is_left(
    monkeypatch: pytest.MonkeyPatch, at: float, *, passed: bool
) -> None:
    stop_clock(monkeypatch)

    assert Deadline(NOW + at).passed is passed


def stop_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scheduler.deadline.time", SimpleNamespace(monotonic=lambda: NOW))
