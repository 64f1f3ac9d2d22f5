"""Which devices fit: within the quota, and those of unknown size only where nothing is asked."""

import pytest

from scheduler.domain.quota import UNLIMITED, Headroom, Requirements, fits
from tests.support.world import device


@pytest.mark.parametrize(
    ("cpu", "memory", "required", "limit", "fitting"),
    [
        (2, 4096, Requirements(), Headroom(), True),
        (2, 4096, Requirements(2, 4096), Headroom(2, 4096), True),
        (2, 4096, Requirements(3), Headroom(), False),
        (2, 4096, Requirements(), Headroom(1), False),
        (2, 4096, Requirements(), Headroom(UNLIMITED, 4095), False),
        (0, 0, Requirements(), Headroom(), True),
        (0, 0, Requirements(1), Headroom(), False),
        (0, 0, Requirements(), Headroom(8), False),
        (0, 0, Requirements(), Headroom(UNLIMITED, 8192), False),
        (2, 0, Requirements(1), Headroom(8), True),
        (2, 0, Requirements(1, 1), Headroom(8), False),
    ],
)
def test_a_device_of_unknown_size_fits_nobody_with_a_requirement_or_a_quota(
    cpu: int, memory: int, required: Requirements, limit: Headroom, *, fitting: bool
) -> None:
    assert fits(device(cpu_cores=cpu, memory_mb=memory), required, limit) is fitting
