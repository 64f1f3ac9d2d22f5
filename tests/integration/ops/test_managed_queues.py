"""Figures of the management plugin are optional: without a usable answer there are none."""

from __future__ import annotations

import socket
import threading

import pytest

from operations.queues import managed_queues
from scheduler.messaging.topology import VHOST


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"AMQP\x00\x00\x09\x01",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n[",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n[",
        b"HTTP/1.1 503 Service Unavailable\r\n\r\n",
    ],
    ids=["closed", "no HTTP", "cut chunk", "cut body", "error"],
)
def test_truncated_or_non_http_answer_is_ignored(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(10_000)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        found = managed_queues(f"http://127.0.0.1:{server.getsockname()[1]}", VHOST)
        thread.join()

    assert found == {}
