"""``.local/endpoints.json``: the addresses of the platform, for tools, tests and people."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from local.aws import sent_messages_url
from local.paths import write_private

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from local.paths import StateDir

_LABELS: Final = {
    "api": "HTTP API",
    "websocket": "WebSocket",
    "console": "Console page",
    "amqp": "RabbitMQ",
    "rabbitmq_management": "RabbitMQ management",
    "database": "MariaDB",
    "aws": "AWS (moto)",
}
_EXAMPLE: Final = (
    'bin/scheduler-ops publish device.failed deviceId=device-001 reason="Screen is dark"'
)


def write(path: Path, endpoints: dict[str, Any]) -> None:
    """Write the addresses atomically, readable by the owner only, as they contain passwords."""
    write_private(path, json.dumps(endpoints, indent=2) + "\n")


def read(path: Path) -> dict[str, Any] | None:
    """Return the addresses, or None while the platform is not ready."""
    try:
        endpoints: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return endpoints


def show(console: Console, state: StateDir, endpoints: dict[str, Any]) -> None:
    """Print the addresses without passwords, and a first command to try."""
    for key, label in _LABELS.items():
        if key in endpoints:
            console.print(f"  {label:<20} {_without_password(endpoints[key])}", markup=False)
    console.print(f"  {'API documentation':<20} {endpoints['api']}/docs", markup=False)
    console.print(f"  {'Events':<20} {endpoints['api']}/docs/events", markup=False)
    console.print(
        f"  {'Sent e-mail and SMS':<20} {sent_messages_url(endpoints['aws'])}", markup=False
    )
    console.print(f"  {'Passwords, tokens':<20} {state.endpoints}", markup=False)
    console.print(f"  {'Logs':<20} {state.logs}", markup=False)
    console.print(f"\nTry:  {_EXAMPLE}\n", markup=False)


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
