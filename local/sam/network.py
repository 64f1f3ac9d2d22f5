"""A Docker network in which containers reach servers on this machine's loopback interface.

A container has its own loopback interface, and sam ignores ``--docker-network host``
(aws/aws-sam-cli#4236). Therefore a container on an internal network accepts connections and
forwards each through a socket file to this machine. No server has to listen on another interface.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from local import LocalError
from local.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType

ALIAS: Final = "cloudphone"
"""Host name of this machine's servers in the network."""

_FORWARD: Final = Path(__file__).with_name("forward.py")
_PYTHON: Final = "/var/lang/bin/python3.13"
_READY: Final = "forwarding\n"


class ContainerNetwork:
    """Makes ports of this machine reachable for containers until the block ends.

    Args:
        image: a Lambda image, whose Python runs the forwarder.
        ports: the servers' ports, here and in the network.

    Raises:
        LocalError: Docker is missing or failed; the message contains its output.
    """

    def __init__(self, image: str, ports: Iterable[int]) -> None:
        self.name = f"{ALIAS}-{os.getpid()}"
        self._image = image
        self._ports = sorted(ports)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            _require(self._image)
            sockets = tempfile.mkdtemp(
                prefix="cloudphone-"
            )  # paths of Unix sockets are limited to 107 bytes
            stack.callback(shutil.rmtree, sockets)
            docker("network", "create", "--internal", self.name)
            stack.callback(docker, "network", "rm", self.name)
            here = [f"unix:{sockets}/{port}=tcp:{HOST}:{port}" for port in self._ports]
            stack.callback(_stop, _start([sys.executable, str(_FORWARD), *here]))
            stack.callback(_stop, _start(self._container(sockets)))
            stack.callback(docker, "rm", "--force", self.name)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _container(self, sockets: str) -> list[str]:
        there = [f"tcp:0.0.0.0:{port}=unix:/sockets/{port}" for port in self._ports]
        return [
            *("docker", "run", "--rm", "--name", self.name),
            *("--network", self.name, "--network-alias", ALIAS),
            *("--volume", f"{sockets}:/sockets"),
            *("--volume", f"{_FORWARD}:/forward.py:ro"),
            *("--entrypoint", _PYTHON, self._image, "/forward.py", *there),
        ]


def docker(*arguments: str) -> str:
    """Run a Docker command and return its output.

    Raises:
        LocalError: Docker is missing or failed.
    """
    done = subprocess.run([_docker(), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise LocalError(f"docker {' '.join(arguments[:2])}: {done.stderr.strip()}")
    return done.stdout


def _docker() -> str:
    program = shutil.which("docker")
    if program is None:
        raise LocalError("docker is not installed; on Debian: apt-get install docker.io")
    return program


def _require(image: str) -> None:
    """Pull the image if it is missing; Docker shows the progress."""
    with suppress(LocalError):
        docker("image", "inspect", image)
        return
    if subprocess.run([_docker(), "pull", image], check=False).returncode:
        raise LocalError(f"cannot pull {image}; set LAMBDA_IMAGE to another image")


def _start(command: Sequence[str]) -> subprocess.Popen[str]:
    """Start a forwarder and return when it is ready."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout  # noqa: S101 - it is a pipe
    output = []
    for line in process.stdout:
        if line == _READY:
            return process
        output.append(line)
    process.wait()
    raise LocalError(f"{command[0]} ended: {''.join(output).strip()}")


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.communicate()
