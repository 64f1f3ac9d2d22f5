"""Short drills: nothing is lost, nothing is doubled – and without processed ids something is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.pipeline.redelivery import KILLED
from tests.faults.drill import run
from tests.faults.figures import rows, totals
from tests.faults.outage import run_outage
from tests.faults.plan import Plan

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.plan import Servers


def test_nothing_is_lost_and_nothing_doubled_while_everything_is_killed(
    servers: Servers, tmp_path: Path
) -> None:
    plan = Plan(seed=1, events=600, kills=50, broker_kills=1, database_kills=1, preloaded=True)

    drill = run(plan, servers, tmp_path)

    account = dict(rows(drill))
    assert len(drill.deaths) == 50, account
    assert len({death.point for death in drill.deaths}) >= 8, account
    assert {outage.server for outage in drill.outages} == {"RabbitMQ", "MariaDB"}
    assert "Sandbox.Timedout" not in drill.invocations.failed, "an invocation hung"
    assert not drill.final.lost, account
    assert not drill.final.doubled, account
    assert {drill.dead[key] for key in drill.first.astray} <= {KILLED}, account
    assert not drill.final.astray, account
    assert len(drill.final.applied) + len(drill.dead) - len(drill.first.astray) + drill.logged == (
        drill.distinct
    )
    assert totals(drill)["duplicate"] > 100


def test_the_same_drill_without_processed_ids_reports_doubled_effects(
    servers: Servers, tmp_path: Path
) -> None:
    plan = Plan(seed=1, events=120, kills=5, forgetful=True, preloaded=True)

    drill = run(plan, servers, tmp_path)

    assert drill.final.doubled.total() > 0
    assert not drill.final.lost


def test_an_outage_of_ten_retry_delays_costs_no_dead_letter_and_no_hot_loop(
    servers: Servers, tmp_path: Path
) -> None:
    plan = Plan(seed=1, events=200, retry_delay_ms=600, preloaded=True)

    drill = run_outage(plan, servers, tmp_path, seconds=6)

    assert drill.dead == 0
    assert not drill.balance.lost
    assert not drill.balance.doubled
    assert len(drill.balance.applied) == drill.distinct
    assert drill.parked > 0
    assert drill.parked_per_delay < 1.1
