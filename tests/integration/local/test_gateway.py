"""Starting and stopping the gateway."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import httpx
import pytest

from local.gateway import start_gateway
from local.ports import accepts, free_port

if TYPE_CHECKING:
    from pathlib import Path

VARIABLES = {
    "BROKER_URL": "amqp://u:p@127.0.0.1:1/cloudphone",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
}


def test_api_and_console_listen_on_their_ports_until_stopped(tmp_path: Path) -> None:
    api, console = free_port(), free_port()
    gateway = start_gateway(api, console, VARIABLES, tmp_path)

    assert httpx.get(f"http://127.0.0.1:{api}/api/devices").status_code == 401
    assert httpx.get(f"http://127.0.0.1:{console}/").status_code == 200
    assert set(gateway.tokens) == {"admin", "user-123"}
    gateway.stop()
    assert not accepts(api)
    assert not accepts(console)


def test_port_in_use_leaves_nothing_running(tmp_path: Path) -> None:
    api = free_port()
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        start_gateway(api, taken.getsockname()[1], VARIABLES, tmp_path)

    assert not accepts(api)
