"""Negative controls: short drills of a weakened function, each of which must be reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.table import Table

from tests.faults import device_scenarios, scenarios
from tests.faults.drill import run
from tests.faults.drill_plan import DrillPlan, NetworkFault, Servers, Weakness

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.faults.account import DrillBalance
    from tests.faults.scenarios import Scenario
    from tests.faults.workload import DrillWorkload


@dataclass(frozen=True, slots=True)
class Control:
    """How a weakness is shown: numbers of a drill, and what it must find."""

    events: int
    must_find: str
    kills: int = 0
    network_faults: int = 0
    scenarios: tuple[Scenario, ...] = ()


def _malformed(load: DrillWorkload) -> None:
    load.malformed()


def _deleted_at_once(load: DrillWorkload) -> None:
    """A user and their device are deleted: both events release it, and neither is outdated."""
    home = load.household(1)
    load.event(home, "user.deleted", home.user)
    load.event(home, "device.deleted", home.devices[0])


CONTROLS: Final = {
    Weakness.PROCESSED_IDS: Control(events=120, kills=5, must_find="doubled"),
    Weakness.CONFIRMS: Control(
        events=150, network_faults=20, must_find="lost", scenarios=(_malformed,)
    ),
    Weakness.GUARD: Control(
        events=60,
        must_find="wrong",
        scenarios=(scenarios.account_changes, device_scenarios.device_changes),
    ),
    Weakness.LOCKS: Control(events=60, must_find="doubled", scenarios=(_deleted_at_once,)),
    Weakness.TAMPERED: Control(events=40, must_find="wrong"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the drill found of a weakness."""

    weakness: Weakness
    must_find: str
    balance: DrillBalance

    @property
    def found(self) -> dict[str, int]:
        """Return what was found, by kind."""
        certain = self.balance.certain
        return {
            "lost": certain.lost.total(),
            "doubled": certain.doubled.total(),
            "wrong": len(certain.wrong),
        }

    @property
    def reported(self) -> bool:
        """Return whether the drill found what it must."""
        return self.found[self.must_find] > 0


def run_control(weakness: Weakness, servers: Servers, folder: Path, seed: int = 1) -> Verdict:
    """Run the drill of a weakness, in a new folder."""
    folder.mkdir()
    control = CONTROLS[weakness]
    plan = DrillPlan(
        seed=seed,
        events=control.events,
        kills=control.kills,
        network_faults=control.network_faults,
        network_kinds=(NetworkFault.CUT, NetworkFault.RESET),
        network_schemes=("amqp",),
        weakness=weakness,
        preloaded=True,
        retry_delay_ms=300,
    )
    drill = run(plan, servers, folder, scenarios=control.scenarios)
    return Verdict(weakness, control.must_find, drill.balance)


def controls_table(verdicts: Iterable[Verdict]) -> Table:
    """Return the verdicts as a table."""
    made = Table("function", "must find", "lost", "doubled", "wrong", "reported")
    for verdict in verdicts:
        counts = [f"{count:,}" for count in verdict.found.values()]
        reported = "yes" if verdict.reported else "NO"
        made.add_row(verdict.weakness, verdict.must_find, *counts, reported)
    return made
