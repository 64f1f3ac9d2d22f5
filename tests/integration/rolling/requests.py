"""Requests of a user that reach each table of the API, and what they answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from tests.integration.api.client import user

if TYPE_CHECKING:
    from tests.integration.api.client import Reply
    from tests.integration.rolling.release import Release

_SOON: Final = datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(hours=2)
QUIET_LATER: Final = {
    "start": f"{_SOON:%H}:00",
    "end": f"{_SOON + timedelta(hours=2):%H}:00",
    "timeZone": "Asia/Shanghai",
}
"""Quiet hours that have not begun: whatever is sent by SMS must not wait for their end."""


class Caller:
    """A user who calls the API of a release, and notes the status of each response."""

    def __init__(self, release: Release, user_id: str) -> None:
        self._release = release
        self.user_id = user_id
        self.statuses: list[int] = []

    def send(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """Send a request."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        reply = self._release.api.send(method, f"/api/{path}", user(self.user_id), body, names)
        self.statuses.append(reply.status)
        return reply

    def allocate(self, **fields: Any) -> Reply:  # noqa: ANN401 - JSON
        """Request a device; repeating the request has no effect."""
        body = {"userId": self.user_id, "durationMinutes": 30, **fields}
        return self.send("POST", "allocations", body, idempotency_key=f"key-{len(fields)}")

    def reserve(self) -> Reply:
        """Reserve a device from in two hours."""
        at = datetime.now(UTC) + timedelta(hours=2)
        return self.send(
            "POST", "reservations", {"userId": self.user_id, "startsAt": at.isoformat()}
        )

    def follow(self, allocation_id: str, waiting_id: str, reservation_id: str) -> None:
        """Look up, extend, release and cancel."""
        self.send("GET", f"allocations/{allocation_id}")
        self.send("POST", f"allocations/{allocation_id}/extend", {"additionalMinutes": 5})
        self.send("GET", f"allocations/user/{self.user_id}?limit=1")
        self.send("DELETE", f"allocations/{allocation_id}")
        self.send("GET", f"allocations/{allocation_id}/history")
        self.send("GET", f"allocations/waiting/{waiting_id}")
        self.send("GET", f"allocations/waiting/user/{self.user_id}")
        self.send("DELETE", f"allocations/waiting/{waiting_id}")
        self.send("GET", f"reservations/{reservation_id}")
        self.send("GET", f"reservations/user/{self.user_id}")
        self.send("DELETE", f"reservations/{reservation_id}")

    def choose(self) -> None:
        """Read and change what is stored about the user."""
        body = {"channels": {"device_released": {"sms": True}}, "quietHours": QUIET_LATER}
        self.send("PUT", f"users/{self.user_id}/preferences", body)
        self.send("GET", f"users/{self.user_id}/preferences")
        self.send("GET", f"users/{self.user_id}")
        self.send("GET", "devices?status=available")
        self.send("GET", "devices/d20")
        inbox = self.send("GET", f"users/{self.user_id}/notifications").body["items"]
        self.send("POST", f"users/{self.user_id}/notifications/{inbox[0]['id']}/read")

    def connect(self) -> None:
        """Open a WebSocket connection, and ask for what was missed."""
        ticket = self.send("POST", "realtime/ticket").body["ticket"]
        context = {"connectionId": f"connection-of-{self.user_id}"}
        for event in (
            {"routeKey": "$connect", "query": {"ticket": ticket}},
            {"routeKey": "$default", "body": '{"since": "2026-01-01T00:00:00Z"}'},
        ):
            reply = self._release.invoke(
                "realtime",
                {
                    "requestContext": context | {"routeKey": event["routeKey"]},
                    "queryStringParameters": event.get("query"),
                    "body": event.get("body"),
                },
            )
            self.statuses.append(reply["statusCode"])


def use_all(first: Release, second: Release | None = None) -> list[int]:
    """Call the routes; what the first release has stored is read and ended by the second."""
    caller = Caller(first, "u25")
    allocated = caller.allocate().body["id"]
    caller.allocate()
    waiting = caller.allocate(wait=True, minCpuCores=2, minMemoryMB=8192).body["id"]
    reserved = caller.reserve().body["id"]
    caller.choose()
    caller.connect()
    other = Caller(second or first, "u25")
    other.allocate()
    other.follow(allocated, waiting, reserved)
    other.choose()
    return caller.statuses + other.statuses
