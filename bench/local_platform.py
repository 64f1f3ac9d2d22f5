"""Runs the local platform for a benchmark, in a temporary folder."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import psutil

from local.gateway.tokens import TokenIssuer
from local.paths import ROOT, STATE_VARIABLE, StateDir
from local.processes import running_supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator

_API_TIMEOUT: Final = 60


@contextmanager
def running_platform(window: float) -> Iterator[StateDir]:
    """Run the platform during the block and delete its data afterwards.

    Args:
        window: seconds for which event source mappings collect messages.
    """
    with tempfile.TemporaryDirectory(prefix="cloudphone-bench-") as folder:
        Path(folder).chmod(0o711)  # the servers run under accounts of their own
        state = StateDir(Path(folder) / "state")
        environment = {
            **os.environ,
            STATE_VARIABLE: str(state.path),
            "CLOUDPHONE_BATCH_WINDOW": f"{window}",
        }

        def local(command: str) -> None:
            arguments = [sys.executable, "-m", "local", command]
            subprocess.run(arguments, cwd=ROOT, env=environment, check=True)  # noqa: S603 - our own program

        local("up")
        try:
            yield state
        finally:
            local("down")


def cpu_seconds(state: StateDir) -> dict[str, float]:
    """Return the CPU seconds used so far by each program of a running platform."""
    supervisor = running_supervisor(state.lock)
    seconds: defaultdict[str, float] = defaultdict(float)
    for process in [supervisor, *supervisor.children(recursive=True)] if supervisor else []:
        try:
            times = process.cpu_times()
            seconds[_program(process.cmdline())] += times.user + times.system
        except psutil.Error:  # it has ended
            continue
    return seconds


async def websocket_address(state: StateDir, endpoints: dict[str, Any], user: str) -> str:
    """Return an address, with a new ticket, at which a user can connect a WebSocket.

    Waits as long as the API demands of users who ask for many tickets.
    """
    token = TokenIssuer.of(state.path).issue_token(user)
    async with httpx.AsyncClient(base_url=endpoints["api"], timeout=_API_TIMEOUT) as api:
        headers = {"Authorization": f"Bearer {token}"}
        while True:
            response = await api.post("/api/realtime/ticket", headers=headers)
            if response.status_code != HTTPStatus.TOO_MANY_REQUESTS:
                break
            await asyncio.sleep(float(response.headers["Retry-After"]))
    return f"{endpoints['websocket']}/?ticket={response.raise_for_status().json()['ticket']}"


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
