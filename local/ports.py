"""TCP ports of the local platform, all below the ephemeral ranges of Linux and macOS."""

from __future__ import annotations

import os
import socket
from itertools import count, islice
from typing import TYPE_CHECKING, Final

from local import LocalError

if TYPE_CHECKING:
    from collections.abc import Callable

API: Final = 30002
WEBSOCKET: Final = 30003
CONSOLE: Final = 30004
AWS: Final = 30005
DATABASE: Final = 30006
AMQP: Final = 30007
RABBITMQ_MANAGEMENT: Final = 30008
EPMD: Final = 30009
ERLANG_DISTRIBUTION: Final = 30010
OPERATIONS: Final = 30011

HOST: Final = "127.0.0.1"
# Ephemeral ports start at 32768. A lower port cannot be taken by an outgoing connection while a
# server restarts.
_SPARE: Final = range(20_000, 30_000)
_MAX_ATTEMPTS: Final = 200
# A port is bound some time after it was chosen, so processes that choose at the same time must
# not choose the same ones. Processes that start together have neighbouring ids.
_numbers: Final = count(os.getpid() * 50)


def is_free(port: int) -> bool:
    """Return whether a server could listen on the port at 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """Return a port on which nothing listens.

    Raises:
        LocalError: no free port was found.
    """
    for number in islice(_numbers, _MAX_ATTEMPTS):
        if is_free(port := _SPARE[number % len(_SPARE)]):
            return port
    raise LocalError(
        f"no free TCP port found between {_SPARE.start} and {_SPARE.stop};"
        " stop programs that listen there"
    )


class PortPlan:
    """Chooses the ports of one start: the default port, or another one if that is in use.

    Args:
        print_line: receives a message for each port that is not the default.
    """

    def __init__(self, print_line: Callable[[str], None]) -> None:
        self._print_line = print_line
        self._chosen: set[int] = set()

    def choose(self, purpose: str, default: int) -> int:
        """Return a port that is free and was not chosen before."""
        port = default
        while port in self._chosen or not is_free(port):
            port = free_port()
        if port != default:
            self._print_line(f"Port {default} ({purpose}) is in use; using {port} instead")
        self._chosen.add(port)
        return port


def accepts(port: int) -> bool:
    """Return whether a server accepts connections on the port at 127.0.0.1."""
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False
