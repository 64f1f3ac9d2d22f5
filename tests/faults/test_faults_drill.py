"""Short drills: nothing is lost or doubled, except in the negative control."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.controls import run_control
from tests.faults.drill import is_clean, run
from tests.faults.drill_plan import DrillPlan, Weakness
from tests.faults.figures import rows, totals
from tests.faults.outage import run_outage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.drill_plan import Servers


def test_kills_of_function_broker_and_database_lose_and_double_nothing(
    servers: Servers, tmp_path: Path
) -> None:
    plan = DrillPlan(seed=1, events=600, kills=50, broker_kills=1, database_kills=1, preloaded=True)

    drill = run(plan, servers, tmp_path)

    account = dict(rows(drill))
    assert len(drill.function_kills) == 50, account
    assert len({kill.point for kill in drill.function_kills}) >= 8, account
    assert {outage.server for outage in drill.outages} == {"RabbitMQ", "MariaDB"}
    assert "Sandbox.Timedout" not in drill.invocations.failed, "an invocation hung"
    assert is_clean(drill), f"{account}\n{drill.balance.certain}"
    assert drill.held > 0
    if not drill.balance.left_out and not drill.balance.without_id:
        ended = len(drill.dead) - len(drill.replayed) + drill.logged
        assert drill.balance.applied + drill.balance.outdated + ended == drill.distinct
    assert totals(drill)["duplicate"] > 100


@pytest.mark.parametrize("weakness", [one for one in Weakness if one is not Weakness.TAMPERED])
def test_drill_reports_a_weakened_function(
    weakness: Weakness, servers: Servers, tmp_path: Path
) -> None:
    verdict = run_control(weakness, servers, tmp_path / weakness)

    assert verdict.reported, f"{verdict.found}\n{verdict.balance.certain}"


def test_database_outage_causes_no_dead_letter_and_no_hot_loop(
    servers: Servers, tmp_path: Path
) -> None:
    plan = DrillPlan(seed=1, events=200, retry_delay_ms=600, preloaded=True)

    drill = run_outage(plan, servers, tmp_path, seconds=6)

    assert drill.dead == 0
    assert drill.balance.is_perfect, str(drill.balance.certain)
    assert drill.balance.applied + drill.balance.outdated == drill.distinct
    assert drill.parked > 0
    assert drill.parked_per_delay < 1.1
