"""Equal messages without an id that take turns with others, parked in one batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.pipeline.hops import retries
from tests.integration.pipeline.unnamed import PAYMENT, payment
from tests.support.world import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.pipeline.crashing import CrashingCounter
    from tests.support.functions import Functions
    from tests.support.queues import Queues

pytestmark = pytest.mark.usefixtures("short_lock_waits", "without_waiting")


@pytest.mark.parametrize("size", [1, 2, 4])
def test_copies_next_to_the_same_in_their_batch_are_messages_of_their_own(
    size: int,
    queues: Queues,
    new_environment: Callable[[], Functions],
    counter: CrashingCounter,
    park: Callable[..., None],
) -> None:
    park(payment("u1"), payment("u2"), payment("u1"), payment("u2"))
    copies = retries(queues, PAYMENT)

    for start in range(0, len(copies), size):
        new_environment().handle(*copies[start : start + size])

    assert [counter.current(id_, NOW) for id_ in ("u1", "u2")] == [2, 2]
