"""The parts of ``python -m local.sam`` that need no Docker."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from events.generate import SAMPLES_FOLDER
from local import LocalError
from local.ports import HOST, free_port
from local.sam import forward
from local.sam.__main__ import receiving_function
from local.sam.invoke import server_ports

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def forwarding(*routes: str) -> Iterator[None]:
    command = [sys.executable, str(forward.__file__), *routes]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "forwarding\n"
        yield
        process.terminate()


def test_stream_is_forwarded_in_both_directions_through_a_socket_file() -> None:
    with socket.create_server((HOST, 0)) as server, tempfile.TemporaryDirectory() as folder:
        port, file = free_port(), f"unix:{folder}/s"
        here = f"{file}=tcp:{HOST}:{server.getsockname()[1]}"
        with (
            forwarding(here),
            forwarding(f"tcp:{HOST}:{port}={file}"),
            socket.create_connection((HOST, port)) as client,
        ):
            there, _ = server.accept()
            with there:
                client.sendall(b"question")
                client.shutdown(socket.SHUT_WR)
                assert there.recv(8, socket.MSG_WAITALL) == b"question"
                assert there.recv(1) == b""
                there.sendall(b"answer")
            assert client.recv(6, socket.MSG_WAITALL) == b"answer"
            assert client.recv(1) == b""


def test_connection_is_closed_if_the_server_cannot_be_reached() -> None:
    port = free_port()
    with (
        forwarding(f"tcp:{HOST}:{port}=tcp:{HOST}:{free_port()}"),
        socket.create_connection((HOST, port)) as client,
    ):
        assert client.recv(1) == b""


@pytest.mark.parametrize(
    ("sample", "function"),
    [
        ("device-failed", "DeviceEventsFunction"),
        ("user-suspended", "UserEventsFunction"),
        ("bad/wrong-type", "BillingEventsFunction"),
        ("bad/unknown-queue", "DeviceEventsFunction"),
        ("api/health", "AllocationApiFunction"),
    ],
)
def test_function_of_a_sample_is_found(sample: str, function: str) -> None:
    assert receiving_function(Path(SAMPLES_FOLDER, f"{sample}.json").read_bytes()) == function


def test_function_of_a_websocket_event_is_found() -> None:
    assert receiving_function(b'{"requestContext": {"routeKey": "$connect"}}') == "RealtimeFunction"


@pytest.mark.parametrize(("event", "says"), [(b"{}", "--function"), (b"[1", "not a JSON object")])
def test_event_without_a_known_function_is_refused(event: bytes, says: str) -> None:
    with pytest.raises(LocalError, match=says):
        receiving_function(event)


@pytest.mark.parametrize(
    ("argument", "says"),
    [("-", "not a JSON object"), ("events/none.json", "No such file"), ("events", "directory")],
)
def test_event_is_read_from_a_file_or_standard_input(argument: str, says: str) -> None:
    command = [sys.executable, "-m", "local.sam", argument]
    done = subprocess.run(command, input="[1", capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_only_ports_of_this_machine_are_forwarded() -> None:
    endpoints = {
        "database": "mysql://user:secret@127.0.0.1:3306/cloudphone",
        "amqp": "amqps://user:secret@broker.example.com:5671/cloudphone",
        "aws": "http://127.0.0.1:30005",
        "websocket": "ws://127.0.0.1:30003",
        "api": "http://127.0.0.1:30002",
    }

    assert server_ports(endpoints) == {3306, 30005, 30003}
