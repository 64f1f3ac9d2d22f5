"""Users and devices: who may hold devices, and which devices are taken back."""

from __future__ import annotations

import pytest

from scheduler.domain.model import BROKEN, Device, Health, Quota, User, UserStatus
from tests.support.world import device, user


def test_device_is_released_in_every_state_except_running_and_unknown() -> None:
    assert set(Health) - BROKEN == {Health.RUNNING, Health.UNKNOWN}


@pytest.mark.parametrize("status", UserStatus)
@pytest.mark.parametrize("on_hold", [False, True])
def test_only_an_active_user_without_a_billing_hold_may_hold_devices(
    status: UserStatus, *, on_hold: bool
) -> None:
    expected = status is UserStatus.ACTIVE and not on_hold

    assert user(status=status, billing_hold=on_hold).blocked is not expected


@pytest.mark.parametrize(
    ("cores", "memory", "sized"), [(1, 1, True), (0, 4096, False), (2, 0, False), (0, 0, False)]
)
def test_size_is_known_only_with_cores_and_memory(cores: int, memory: int, *, sized: bool) -> None:
    assert device(cpu_cores=cores, memory_mb=memory).sized is sized


def test_rows_are_known() -> None:
    assert User("u1", Quota(1)).known
    assert Device("d1").known
