"""A network on which containers reach servers that listen on this machine's loopback interface.

A container has a loopback interface of its own, and sam ignores ``--docker-network host``
(aws/aws-sam-cli#4236). So a container on an internal network takes connections and leads each over
a socket file to this machine. No server has to listen for others, and no port is opened.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from local.errors import LocalError
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
    """Leads containers to ports of this machine until the block ends.

    Args:
        image: a Lambda image, for its Python.
        ports: those of the servers, by which they are known in the network too.

    Raises:
        LocalError: Docker is missing or does not do it; says what it says.
    """

    def __init__(self, image: str, ports: Iterable[int]) -> None:
        self.name = f"{ALIAS}-{os.getpid()}"
        self._image = image
        self._ports = sorted(ports)
        self._sockets = Path(tempfile.mkdtemp(prefix="cloudphone-"))  # such paths must be short
        self._running: list[subprocess.Popen[str]] = []

    def __enter__(self) -> Self:
        try:
            docker("network", "create", "--internal", self.name)
            here = [f"unix:{self._sockets}/{p}=tcp:{HOST}:{p}" for p in self._ports]
            self._begin([sys.executable, str(_FORWARD), *here])
            self._begin(self._container())
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _container(self) -> list[str]:
        there = [f"tcp:0.0.0.0:{p}=unix:/sockets/{p}" for p in self._ports]
        return [
            *("docker", "run", "--rm", "--name", self.name),
            *("--network", self.name, "--network-alias", ALIAS),
            *("--volume", f"{self._sockets}:/sockets"),
            *("--volume", f"{_FORWARD}:/forward.py:ro"),
            *("--entrypoint", _PYTHON, self._image, "/forward.py", *there),
        ]

    def _begin(self, command: Sequence[str]) -> None:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._running.append(process)
        assert process.stdout  # noqa: S101 - it is a pipe
        said = []
        for line in process.stdout:
            if line == _READY:
                return
            said.append(line)
        raise LocalError(f"{command[0]} ended: {''.join(said).strip()}")

    def _close(self) -> None:
        docker("rm", "--force", self.name, check=False)
        for process in self._running:
            process.terminate()
            process.communicate()
        docker("network", "rm", self.name, check=False)
        shutil.rmtree(self._sockets)


def docker(*arguments: str, check: bool = True) -> str:
    """Run a command of Docker and return what it prints.

    Raises:
        LocalError: there is no Docker, or it did not do it (unless ``check`` is false).
    """
    program = shutil.which("docker")
    if program is None:
        raise LocalError("docker is not installed (Debian: apt-get install docker.io)")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise LocalError(f"docker {arguments[0]}: {done.stderr.strip()}")
    return done.stdout
