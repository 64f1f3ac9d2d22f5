"""CPU time by program: what costs, whatever else the machine does meanwhile."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import psutil

from local.processes import running_supervisor

if TYPE_CHECKING:
    from local.paths import StateDir


def used(state: StateDir) -> dict[str, float]:
    """Return the CPU seconds that each program of a running platform has used."""
    supervisor = running_supervisor(state.lock)
    seconds: defaultdict[str, float] = defaultdict(float)
    for process in [supervisor, *supervisor.children(recursive=True)] if supervisor else []:
        try:
            times = process.cpu_times()
            seconds[_program(process.cmdline())] += times.user + times.system
        except psutil.Error:  # it has ended
            continue
    return seconds


def _program(command: list[str]) -> str:
    for part in command:
        if part.endswith(".handler"):
            return f"function {part.partition('.')[0]}"
    if any(part.endswith("moto_server.py") for part in command):
        return "moto"
    if "local" in command:
        return "gateways and mappings"
    name = command[0].rpartition("/")[2] if command else "?"
    return "rabbitmq" if name in {"beam.smp", "erl_child_setup", "inet_gethost"} else name
