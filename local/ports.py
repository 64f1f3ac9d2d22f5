"""TCP ports of the local platform, all below the ephemeral range of Linux and macOS."""

from __future__ import annotations

import os
import socket
from itertools import count, islice
from typing import TYPE_CHECKING, Final

from local.errors import LocalError

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

HOST: Final = "127.0.0.1"
# Ephemeral ports start at 32768: a port from below is not taken by somebody's outgoing
# connection between a server's death and its restart.
_SPARE: Final = range(20_000, 30_000)
_TRIES: Final = 200
# A port is bound only some time after it was chosen: who chooses at the same time must choose
# others. Processes that start together have neighbouring ids.
_numbers: Final = count(os.getpid() * 50)


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the port at 127.0.0.1 now."""
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
        LocalError: none was found.
    """
    for number in islice(_numbers, _TRIES):
        if is_free(port := _SPARE[number % len(_SPARE)]):
            return port
    raise LocalError(f"no free TCP port between {_SPARE.start} and {_SPARE.stop}")


class PortPlan:
    """Hands out the ports of one start: the usual one, or another when that is taken.

    Args:
        say: told in one line about each port that had to be another.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._given: set[int] = set()

    def choose(self, purpose: str, usual: int) -> int:
        """Return a port for the purpose that is free and was not handed out before."""
        port = usual
        while port in self._given or not is_free(port):
            port = free_port()
        if port != usual:
            self._say(f"Port {usual} ({purpose}) is taken by another program: using {port}")
        self._given.add(port)
        return port


def accepts(port: int) -> bool:
    """Tell whether something accepts connections on the port at 127.0.0.1."""
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False
