"""What every part needs while the platform comes up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from local.event_source_mapping.mapping import Batching
    from local.given import Given
    from local.paths import StateDir
    from local.ports import PortPlan
    from local.progress import Steps
    from local.servers.server import OnSpawn


@dataclass(frozen=True, slots=True)
class Context:
    """One start of the platform; closing ``stack`` takes down in reverse what came up."""

    given: Given
    state: StateDir
    ports: PortPlan
    on_spawn: OnSpawn
    steps: Steps
    stack: ExitStack
    batching: Batching
    shards: int

    def on_stop(self, what: str, stop: Callable[[], object]) -> None:
        """Have ``stop`` called, as a visible step, when the platform goes down."""
        self.stack.callback(self._stop, what, stop)

    def _stop(self, what: str, stop: Callable[[], object]) -> None:
        with self.steps.undo(f"Stopping {what}"):
            stop()
