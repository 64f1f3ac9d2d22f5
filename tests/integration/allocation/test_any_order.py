"""In any order of changes, no device is lost, allocated twice or kept from waiting users.

`make stateful EXAMPLES=2000` tests longer.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from scheduler.settings import AllocationStrategy
from tests.integration.allocation.machine import Machine
from tests.integration.allocation.platform import Platform

if TYPE_CHECKING:
    from tests.support.store import Store

EXAMPLES: Final = int(os.environ.get("EXAMPLES", "24"))
STEPS: Final = 30


@pytest.mark.parametrize("strategy", AllocationStrategy)
def test_the_invariants_hold_in_any_order_of_changes(
    store: Store, strategy: AllocationStrategy
) -> None:
    run_state_machine_as_test(
        partial(Machine, Platform(store, strategy)),  # type: ignore[arg-type]  # accepts any callable
        settings=settings(
            max_examples=max(1, EXAMPLES // len(AllocationStrategy)),
            stateful_step_count=STEPS,
            suppress_health_check=list(HealthCheck),
        ),
    )
