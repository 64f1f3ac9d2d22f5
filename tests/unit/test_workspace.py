"""What editors and containers read fits the repository; running them would need Docker."""

import json
import re
from typing import Any, Final

import yaml

from local import ports
from local.paths import ROOT
from local.servers.programs import SERVERS

DOCKERFILE: Final = (ROOT / ".devcontainer/Dockerfile").read_text("utf-8")
CONTAINER: Final = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text("utf-8"))
COMPOSE: Final = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
PLATFORM: Final[dict[str, Any]] = COMPOSE["services"]["platform"]


def exists(command: str) -> bool:
    """Return whether a command is a target of make or a file of the repository."""
    program, first, *_ = command.split()
    if program != "make":
        return (ROOT / program).is_file()
    makefile = (ROOT / "Makefile").read_text("utf-8")
    return bool(re.search(rf"^{re.escape(first)}:", makefile, re.MULTILINE))


def test_commands_of_editor_and_containers_exist() -> None:
    tasks = json.loads((ROOT / ".vscode/tasks.json").read_text("utf-8"))["tasks"]
    named = [task["command"] for task in tasks]
    inside = re.findall(r"docker compose exec platform (.+)", (ROOT / "compose.yaml").read_text())

    for command in [*named, *inside, CONTAINER["postCreateCommand"], PLATFORM["command"]]:
        assert exists(command), command
    assert len(inside) == 1


def test_containers_are_built_from_the_dockerfile_that_exists() -> None:
    folder = ROOT / ".devcontainer"

    assert (folder / CONTAINER["build"]["dockerfile"]).is_file()
    assert (ROOT / PLATFORM["build"]).samefile(folder)


def test_image_has_the_versions_and_servers_that_make_uses() -> None:
    (python,) = re.findall(r"^FROM python:([\d.]+)-bookworm$", DOCKERFILE, re.MULTILINE)
    (node,) = re.findall(r"^FROM node:(\d+)-bookworm-slim AS node$", DOCKERFILE, re.MULTILINE)
    packages = json.loads((ROOT / "contracts/package.json").read_text())["devDependencies"]
    (installed,) = re.findall(r"apt-get install --yes --no-install-recommends (.+) \\", DOCKERFILE)

    assert python == (ROOT / ".python-version").read_text().strip()
    assert node == packages["@types/node"].partition(".")[0]
    assert {"make", *(server.debian for server in SERVERS.values())} <= set(installed.split())


def test_containers_do_not_share_environment_and_state_with_the_host() -> None:
    (folder,) = re.findall(r"^WORKDIR (\S+)$", DOCKERFILE, re.MULTILINE)
    source, *volumes = (one.split(":") for one in PLATFORM["volumes"])
    mounts = [dict(part.split("=") for part in one.split(",")) for one in CONTAINER["mounts"]]

    assert source == [".", folder]
    assert [target for _, target in volumes] == [f"{folder}/.venv", f"{folder}/.local"]
    assert {name for name, _ in volumes} == set(COMPOSE["volumes"])
    workspace = "${containerWorkspaceFolder}"
    assert [one["target"] for one in mounts] == [f"{workspace}/.venv", f"{workspace}/.local"]
    assert {one["type"] for one in mounts} == {"volume"}


def test_compose_stops_the_platform_with_the_signal_that_make_passes_on() -> None:
    assert PLATFORM["command"].startswith("make ")
    assert PLATFORM.get("stop_signal", "SIGTERM") == "SIGTERM"


def test_devcontainer_forwards_the_ports_of_the_platform() -> None:
    assert CONTAINER["forwardPorts"] == [
        *(ports.API, ports.WEBSOCKET, ports.CONSOLE, ports.RABBITMQ_MANAGEMENT)
    ]
    assert f":{ports.API}\n" in (ROOT / "contracts/api.http").read_text("utf-8")


def test_devcontainer_has_the_extensions_that_are_recommended() -> None:
    recommended = json.loads((ROOT / ".vscode/extensions.json").read_text("utf-8"))

    assert CONTAINER["customizations"]["vscode"]["extensions"] == recommended["recommendations"]


def test_recording_shows_no_path_of_one_machine() -> None:
    recording = (ROOT / "docs/recording.svg").read_text("utf-8")

    assert not re.search(r"/(?:tmp|home|root|work)/", recording)
    assert "Device failure: Screen is dark" in recording
