"""A running platform as its neighbours and users see it: API, broker, WebSocket, mail, SMS."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import httpx
import pika

from local.aws import SentMessages, sent_messages
from local.gateway.tokens import TokenIssuer
from ops.publishing import shard_key
from scheduler.messaging.topology import EVENTS_EXCHANGE
from tests.scenarios.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.paths import StateDir

_PATIENCE: Final = 30
"""Seconds until something that was published must be visible."""


class Platform:
    """Publishes events, calls the API as an administrator, and listens as a user."""

    def __init__(self, state: StateDir) -> None:
        self._endpoints: dict[str, Any] = json.loads(state.endpoints.read_text("utf-8"))
        self._issuer = TokenIssuer.of(state.path)
        endpoints, token = self._endpoints, self._endpoints["tokens"]["admin"]
        self._http = httpx.Client(
            base_url=endpoints["api"],
            headers={"Authorization": f"Bearer {token}"},
            timeout=_PATIENCE,
        )
        self._broker = pika.BlockingConnection(pika.URLParameters(endpoints["amqp"]))
        self._channel = self._broker.channel()
        self._channel.confirm_delivery()

    def close(self) -> None:
        """Close both connections."""
        self._http.close()
        self._broker.close()

    def publish(self, event_type: str, **fields: object) -> None:
        """Publish an event; the broker has confirmed it on return."""
        body = {**fields, "timestamp": datetime.now(UTC).isoformat()}
        raw = json.dumps(body).encode()
        properties = pika.BasicProperties(
            content_type="application/json",
            delivery_mode=2,
            message_id=str(uuid.uuid4()),
            **shard_key(event_type, raw),
        )
        self._channel.basic_publish(EVENTS_EXCHANGE, event_type, raw, properties, mandatory=True)

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON of a page of the API."""
        return self._http.get(path).raise_for_status().json()

    def put(self, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """Change something."""
        return self._http.put(path, json=body).raise_for_status().json()

    def allocate(self, user_id: str, **wishes: object) -> httpx.Response:
        """Ask for a device; the answer may be a refusal."""
        return self._http.post("/api/allocations", json={"userId": user_id, **wishes})

    def listen(self, user_id: str) -> Listener:
        """Connect a user's client to the WebSocket."""
        token = {"Authorization": f"Bearer {self._issuer.issue_token(user_id)}"}
        answer = self._http.post("/api/realtime/ticket", headers=token).raise_for_status()
        return Listener(f"{self._endpoints['websocket']}/?ticket={answer.json()['ticket']}")

    def sent(self) -> SentMessages:
        """Return all e-mails and text messages that were sent."""
        return sent_messages(self._endpoints["aws"])

    def allocations(self, user_id: str, status: str) -> list[dict[str, Any]]:
        """Return a user's allocations, newest first."""
        path = f"/api/allocations/user/{user_id}?status={status}&limit=100"
        return list(self.get(path)["items"])

    def notifications(self, user_id: str) -> list[dict[str, Any]]:
        """Return a user's inbox."""
        return list(self.get(f"/api/users/{user_id}/notifications?limit=100")["items"])

    def wait_until(self, holds: Callable[[], bool], what: str) -> None:
        """Return when a condition holds.

        Raises:
            AssertionError: it did not within the patience; names the condition.
        """
        deadline = time.monotonic() + _PATIENCE
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {_PATIENCE} s: {what}")
            time.sleep(0.05)
