"""The items of a job that failed: how many attempts are made to find them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from housekeeping.failing_items import FailingItems, SomeFailedError
from scheduler.bisection import MAX_REFUSALS
from scheduler.database.errors import StatementRefusedError
from scheduler.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Sequence

ITEMS = [str(number) for number in range(2 << MAX_REFUSALS)]
"""More than `MAX_REFUSALS` can halve to single ones."""


def test_nothing_is_attempted_after_the_time_of_the_job_if_the_server_refuses_everything() -> None:
    attempts: list[int] = []

    class Ending(Deadline):
        @property
        def passed(self) -> bool:
            return len(attempts) > MAX_REFUSALS

    def refuse(part: Sequence[str]) -> None:
        attempts.append(len(part))
        raise StatementRefusedError("full")

    failing = FailingItems()
    failing.begin("expire", Ending(0))

    with pytest.raises(SomeFailedError):
        list(failing.apart(ITEMS, refuse, str))

    assert len(attempts) == MAX_REFUSALS + 1
