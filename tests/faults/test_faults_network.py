"""The network of a drill delays, cuts, resets and swallows, as often as planned."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.faults.drill_plan import DrillPlan, NetworkFault
from tests.faults.network import Network

if TYPE_CHECKING:
    from collections.abc import Iterator

SENT = bytes(range(256)) * 200


@pytest.fixture
def echo() -> Iterator[str]:
    """A server that returns what it receives."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    while data := connection.recv(4096):
                        connection.sendall(data)
                except OSError:
                    pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"amqp://user:password@127.0.0.1:{listener.getsockname()[1]}/vhost"
    listener.close()


def plan(kind: NetworkFault, wanted: int = 1) -> DrillPlan:
    return DrillPlan(seed=1, events=0, network_faults=wanted, network_kinds=(kind,))


def connected(network: Network, url: str) -> socket.socket:
    (through,) = network.through([url])
    assert through != url
    assert through.startswith("amqp://user:password@127.0.0.1:")
    return socket.create_connection(("127.0.0.1", urlsplit(through).port or 0), timeout=30)


def returned(connection: socket.socket, length: int = len(SENT)) -> bytes:
    """Send, and return what comes back before the connection is closed."""
    threading.Thread(target=_send, args=(connection,), daemon=True).start()
    received = b""
    while len(received) < length and (data := connection.recv(65_536)):
        received += data
    return received


def _send(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(SENT)


def test_delayed_data_arrive_complete(echo: str) -> None:
    with Network(plan(NetworkFault.DELAY)) as network, connected(network, echo) as connection:
        assert returned(connection) == SENT
        assert network.faults == {("amqp", NetworkFault.DELAY): 1}


def test_connection_is_cut_within_the_data(echo: str) -> None:
    with Network(plan(NetworkFault.CUT)) as network, connected(network, echo) as connection:
        received = returned(connection)

        assert len(received) < len(SENT)
        assert SENT.startswith(received)


def test_connection_is_reset(echo: str) -> None:
    with (
        Network(plan(NetworkFault.RESET)) as network,
        connected(network, echo) as connection,
        pytest.raises(ConnectionResetError),
    ):
        returned(connection)


def test_half_open_connection_stays_open_and_silent(echo: str) -> None:
    with Network(plan(NetworkFault.HALF_OPEN)) as network, connected(network, echo) as connection:
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            returned(connection)

        assert network.count() == 1


def test_everything_passes_once_there_were_enough_faults(echo: str) -> None:
    with Network(plan(NetworkFault.CUT, wanted=2)) as network:
        for _ in range(2):
            with connected(network, echo) as connection:
                returned(connection)
        with connected(network, echo) as connection:
            assert returned(connection) == SENT


def test_perfect_network_has_no_proxies(echo: str) -> None:
    with Network(DrillPlan(seed=1, events=0)) as network:
        assert network.through([echo]) == [echo]
