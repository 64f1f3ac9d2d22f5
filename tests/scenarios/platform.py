"""A running platform from outside: API, broker, WebSocket, sent e-mail and SMS."""

from __future__ import annotations

import json
import threading
import time
import uuid
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import httpx
import pika
from pika.exceptions import AMQPError
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from local.aws import SentMessages, aws_client, sent_messages
from local.gateway.tokens import TokenIssuer
from operations.publishing import shard_key
from scheduler.messaging.topology import EVENTS_EXCHANGE
from scheduler.realtime.connections import Connections

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.paths import StateDir

_TIMEOUT_SECONDS: Final = 30
"""How long the effects of an event may take."""


class Listener:
    """Receives frames in the background until it is closed."""

    def __init__(self, url: str) -> None:
        self._frames: dict[str, dict[str, Any]] = {}
        self._stack = ExitStack()
        self._socket = self._stack.enter_context(connect(url))
        self._thread = threading.Thread(target=self._receive)
        self._thread.start()

    def frames(self, type_: str) -> list[dict[str, Any]]:
        """Return the frames of a type, without duplicates."""
        return [frame for frame in list(self._frames.values()) if frame["type"] == type_]

    def close(self) -> None:
        """Disconnect."""
        self._stack.close()
        self._thread.join()

    def _receive(self) -> None:
        with suppress(ConnectionClosed):
            for text in self._socket:
                frame = json.loads(text)
                self._frames.setdefault(frame["id"], frame)


class Platform:
    """Publishes events, calls the API as an administrator, and listens as a user."""

    def __init__(self, state: StateDir) -> None:
        self.endpoints: dict[str, Any] = json.loads(state.endpoints.read_text("utf-8"))
        self._issuer = TokenIssuer.of(state.path)
        endpoints, token = self.endpoints, self.endpoints["tokens"]["admin"]
        self._http = httpx.Client(
            base_url=endpoints["api"],
            headers={"Authorization": f"Bearer {token}"},
            timeout=_TIMEOUT_SECONDS,
        )
        self._connections = Connections(
            aws_client("dynamodb", endpoints["aws"]), "realtime-connections"
        )
        self._connect()

    def _connect(self) -> None:
        parameters = pika.URLParameters(self.endpoints["amqp"])
        parameters.heartbeat = 0  # we send none while we wait for minutes
        self._broker = pika.BlockingConnection(parameters)
        self._channel = self._broker.channel()
        self._channel.confirm_delivery()

    def reconnect(self) -> bool:
        """Connect to the broker again; return whether it accepts the connection."""
        with suppress(AMQPError, OSError):
            self._connect()
            return True
        return False

    def close(self) -> None:
        """Close both connections."""
        self._http.close()
        if self._broker.is_open:
            self._broker.close()

    def publish(self, event_type: str, **fields: object) -> None:
        """Publish an event and wait for the broker's confirm."""
        body = {**fields, "timestamp": datetime.now(UTC).isoformat()}
        raw = json.dumps(body).encode()
        properties = pika.BasicProperties(
            content_type="application/json",
            delivery_mode=2,
            message_id=str(uuid.uuid4()),
            **shard_key(event_type, raw),
        )
        self._channel.basic_publish(EVENTS_EXCHANGE, event_type, raw, properties, mandatory=True)

    def depth(self, queue: str) -> int:
        """Return the number of messages that are ready in a queue."""
        return int(self._channel.queue_declare(queue, passive=True).method.message_count)

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON of a GET request."""
        return self._http.get(path).raise_for_status().json()

    def put(self, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON of a PUT request."""
        return self._http.put(path, json=body).raise_for_status().json()

    def allocate(self, user_id: str) -> httpx.Response:
        """Request a device; the response may be an error."""
        return self._http.post("/api/allocations", json={"userId": user_id})

    def listen(self, user_id: str) -> Listener:
        """Connect a WebSocket client for a user, and wait until it receives live frames."""
        before = self._active(user_id)
        token = {"Authorization": f"Bearer {self._issuer.issue_token(user_id)}"}
        response = self._http.post("/api/realtime/ticket", headers=token).raise_for_status()
        listener = Listener(f"{self.endpoints['websocket']}/?ticket={response.json()['ticket']}")
        self.wait_until(lambda: bool(self._active(user_id) - before), "the connection is active")
        return listener

    def _active(self, user_id: str) -> set[str]:
        return set(self._connections.of_user(user_id, datetime.now(UTC)))

    def sent(self) -> SentMessages:
        """Return all e-mails and text messages that were sent."""
        return sent_messages(self.endpoints["aws"])

    def allocations(self, user_id: str, status: str) -> list[dict[str, Any]]:
        """Return a user's allocations, newest first."""
        path = f"/api/allocations/user/{user_id}?status={status}&limit=100"
        return list(self.get(path)["items"])

    def notifications(self, user_id: str) -> list[dict[str, Any]]:
        """Return a user's inbox."""
        return list(self.get(f"/api/users/{user_id}/notifications?limit=100")["items"])

    def wait_until(
        self, holds: Callable[[], bool], what: str, seconds: float = _TIMEOUT_SECONDS
    ) -> None:
        """Return when a condition holds.

        Raises:
            AssertionError: it did not hold in time; the message names the condition.
        """
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"not true within {seconds:.0f} s: {what}")
            time.sleep(0.05)
