"""The default port, or another one when it is in use."""

from __future__ import annotations

import socket
import subprocess
import sys

from local.paths import ROOT
from local.ports import HOST, PortPlan, free_port, is_free


def test_port_in_use_is_replaced_with_a_message() -> None:
    said: list[str] = []

    with socket.create_server((HOST, 0)) as server:
        usual = server.getsockname()[1]
        port = PortPlan(said.append).choose("HTTP API", usual)

    assert is_free(port)
    assert said == [f"Port {usual} (HTTP API) is in use; using {port} instead"]


def test_free_port_is_chosen_once_without_a_message() -> None:
    said: list[str] = []
    plan, usual = PortPlan(said.append), free_port()

    assert plan.choose("HTTP API", usual) == usual
    assert said == []
    assert plan.choose("WebSocket", usual) != usual


def test_processes_that_start_together_choose_different_ports() -> None:
    command = [sys.executable, "-c", "from local.ports import free_port; print(free_port())"]

    def choose() -> subprocess.Popen[str]:
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    with choose() as one, choose() as other:
        chosen = [process.communicate()[0] for process in (one, other)]

    assert len(set(chosen)) == 2
