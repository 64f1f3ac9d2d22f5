"""Whatever happens in whatever order, no device is lost, doubled or kept from who waits for it.

`make stateful EXAMPLES=2000` looks longer.
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
def test_in_any_order_the_invariants_hold(store: Store, strategy: AllocationStrategy) -> None:
    run_state_machine_as_test(
        partial(Machine, Platform(store, strategy)),  # type: ignore[arg-type]  # any callable will do
        settings=settings(
            max_examples=max(1, EXAMPLES // len(AllocationStrategy)),
            stateful_step_count=STEPS,
            suppress_health_check=list(HealthCheck),
        ),
    )
