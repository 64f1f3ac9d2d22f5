"""What is started last must end before the function's timeout."""

import time
from types import SimpleNamespace

from local.template import deployed_function
from scheduler.deadline import Deadline

LONGEST_TRANSACTION = 3 * (3 + 3)
"""Seconds: three attempts, each of which waits for the locks of users, then of devices."""


def test_consumer_starts_nothing_that_its_timeout_could_interrupt() -> None:
    timeout = deployed_function("device-events")["Timeout"]
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: timeout * 1000)

    latest_end = Deadline.of(context).at + LONGEST_TRANSACTION

    assert latest_end < time.monotonic() + timeout
