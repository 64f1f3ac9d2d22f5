"""Short drills: nothing is lost or doubled, except in the negative control."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.pipeline.redelivery import KILLED
from tests.faults.drill import run
from tests.faults.drill_plan import DrillPlan
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
    assert not drill.final.lost, account
    assert not drill.final.doubled, account
    assert {drill.dead[key] for key in drill.first.wrongly_rejected} <= {KILLED}, account
    assert not drill.final.wrongly_rejected, account
    assert (
        len(drill.final.applied)
        + len(drill.final.lost_without_id)
        + len(drill.dead)
        - len(drill.first.wrongly_rejected)
        + drill.logged
        + drill.ambiguous
        == drill.distinct
    )
    assert totals(drill)["duplicate"] > 100


def test_drill_without_processed_ids_reports_doubled_effects(
    servers: Servers, tmp_path: Path
) -> None:
    plan = DrillPlan(seed=1, events=120, kills=5, forgetful=True, preloaded=True)

    drill = run(plan, servers, tmp_path)

    assert drill.final.doubled.total() > 0
    assert not drill.final.lost


def test_database_outage_causes_no_dead_letter_and_no_hot_loop(
    servers: Servers, tmp_path: Path
) -> None:
    plan = DrillPlan(seed=1, events=200, retry_delay_ms=600, preloaded=True)

    drill = run_outage(plan, servers, tmp_path, seconds=6)

    assert drill.dead == 0
    assert not drill.balance.lost
    assert not drill.balance.doubled
    assert len(drill.balance.applied) == drill.distinct
    assert drill.parked > 0
    assert drill.parked_per_delay < 1.1
