"""What is started last must end before the function's timeout."""

import time
from types import SimpleNamespace

import pytest

from local.template import deployed_function
from scheduler.deadline import NEVER, Deadline

LONGEST_TRANSACTION = 3 * (3 + 3)
"""Seconds: three attempts, each of which waits for the locks of users, then of devices."""


def test_consumer_starts_nothing_that_its_timeout_could_interrupt() -> None:
    timeout = deployed_function("device-events")["Timeout"]
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: timeout * 1000)

    latest_end = Deadline.of(context).at + LONGEST_TRANSACTION

    assert latest_end < time.monotonic() + timeout


def test_share_of_the_time_left_ends_earlier() -> None:
    deadline = Deadline(time.monotonic() + 80)

    assert deadline.after_share(0.5).seconds_left == pytest.approx(40, abs=1)
    assert NEVER.after_share(0.5) == NEVER
