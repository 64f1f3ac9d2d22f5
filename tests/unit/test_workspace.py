"""What editors and containers read names commands and ports that exist."""

import json
import re

from local import ports
from local.paths import ROOT


def test_tasks_run_commands_that_exist() -> None:
    tasks = json.loads((ROOT / ".vscode/tasks.json").read_text("utf-8"))["tasks"]
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)

    for command in (task["command"].split() for task in tasks):
        assert command[1] in targets if command[0] == "make" else (ROOT / command[0]).exists()


def test_devcontainer_forwards_the_ports_of_the_platform() -> None:
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text("utf-8"))

    assert container["forwardPorts"] == [
        *(ports.API, ports.WEBSOCKET, ports.CONSOLE, ports.RABBITMQ_MANAGEMENT)
    ]
    assert f":{ports.API}\n" in (ROOT / "contracts/api.http").read_text("utf-8")


def test_recording_shows_no_path_of_one_machine() -> None:
    recording = (ROOT / "docs/recording.svg").read_text("utf-8")

    assert not re.search(r"/(?:tmp|home|root|work)/", recording)
    assert "Device failure: Screen is dark" in recording
