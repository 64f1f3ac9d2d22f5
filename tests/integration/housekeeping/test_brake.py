"""Whether releases are held is measured every minute, so that the alarm stays up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from scheduler.database import brake
from tests.support.world import MINUTE, NOW

if TYPE_CHECKING:
    import pytest

    from tests.integration.housekeeping.conftest import Keeper
    from tests.support.store import Store


def measured(capsys: pytest.CaptureFixture[str]) -> list[int]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    name = "scheduler_mass_failure_brake"
    return [line[name] for line in lines if name in line]


def test_the_brake_is_measured_until_somebody_has_decided(
    keeper: Keeper, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert keeper.run("brake") == 0
    with store.database.transaction() as cursor:
        brake.engage(cursor, NOW)
    assert keeper.run("brake") == 1
    assert keeper.after(1000 * MINUTE).run("brake") == 1
    with store.database.transaction() as cursor:
        brake.release(cursor, NOW + 2000 * MINUTE)
    assert keeper.run("brake") == 0

    assert measured(capsys) == [0, 1, 1, 0]
