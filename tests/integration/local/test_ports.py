"""The usual port, or another one when it is taken."""

from __future__ import annotations

import socket
import subprocess
import sys

from local.paths import ROOT
from local.ports import HOST, PortPlan, free_port, is_free


def test_a_taken_port_is_replaced_by_a_free_one_and_said() -> None:
    said: list[str] = []

    with socket.create_server((HOST, 0)) as server:
        usual = server.getsockname()[1]
        port = PortPlan(said.append).choose("HTTP API", usual)

    assert is_free(port)
    assert said == [f"Port {usual} (HTTP API) is in use; using {port} instead"]


def test_a_free_port_is_used_once_and_nothing_said() -> None:
    said: list[str] = []
    plan, usual = PortPlan(said.append), free_port()

    assert plan.choose("HTTP API", usual) == usual
    assert said == []
    assert plan.choose("WebSocket", usual) != usual


def test_who_chooses_at_the_same_time_chooses_other_ports() -> None:
    command = [sys.executable, "-c", "from local.ports import free_port; print(free_port())"]

    def choose() -> subprocess.Popen[str]:
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    with choose() as one, choose() as other:
        chosen = [process.communicate()[0] for process in (one, other)]

    assert len(set(chosen)) == 2
