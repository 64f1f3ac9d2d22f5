"""One scenario: its user and devices, and its steps and checks, which are printed."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.scenarios.platform import Listener, Platform

_CREATED: Final = 201


class Story:
    """Creates its own user and devices, so that scenarios do not affect each other."""

    def __init__(self, platform: Platform, print_line: Callable[[str], None]) -> None:
        self.platform = platform
        self._print_line = print_line
        tag = uuid.uuid4().hex[:8]
        self.user = f"scenario-{tag}"
        self._email = f"{self.user}@example.com"
        self._phone = f"+86138{int(tag, 16) % 10**8:08}"
        self._device = f"scenario-{tag}-{{}}"
        self._client: Listener | None = None

    def close(self) -> None:
        """Disconnect the user's client."""
        if self._client is not None:
            self._client.close()

    def step(self, sentence: str) -> None:
        """Print the next step."""
        self._print_line(f"  → {sentence}")

    def check(self, sentence: str, holds: Callable[[], bool], seconds: float = 30) -> None:
        """Wait up to so many seconds until a statement is true, and print it."""
        self.platform.wait_until(holds, sentence, seconds)
        self._print_line(f"  ✓ {sentence}")

    def given(self, devices: int, quota: int = 10) -> None:
        """Create a user with a quota and a WebSocket client, and new devices."""
        self.step(
            f"create user {self.user} with a quota of {quota}, and {_count(devices, 'device')}"
        )
        contact = {"email": self._email, "phone": self._phone}
        self.platform.put(f"/api/users/{self.user}", {"maxDevices": quota, **contact})
        self._client = self.platform.listen(self.user)
        ids = [self._device.format(number) for number in range(devices)]
        for id_ in ids:
            self.platform.publish(
                "device.created", deviceId=id_, name=id_, cpuCores=4, memoryMB=8192
            )
        self.platform.wait_until(
            lambda: self._pool() >= set(ids), "the new devices are in the pool"
        )

    def allocate(self, count: int) -> list[dict[str, Any]]:
        """Allocate devices for the user."""
        self.step(f"allocate {_count(count, 'device')}")
        answers = [self.platform.allocate(self.user) for _ in range(count)]
        assert [answer.status_code for answer in answers] == [_CREATED] * count, [
            answer.text for answer in answers
        ]
        return [answer.json() for answer in answers]

    def publish(self, event_type: str, **fields: object) -> None:
        """Publish an event."""
        self.step(f"publish {event_type} {fields}")
        self.platform.publish(event_type, **fields)

    def active(self) -> list[dict[str, Any]]:
        """Return the active allocations."""
        return self.platform.allocations(self.user, "ALLOCATED")

    def released(self) -> list[dict[str, Any]]:
        """Return the released allocations."""
        return self.platform.allocations(self.user, "RELEASED")

    def frames(self, type_: str) -> list[dict[str, Any]]:
        """Return the received WebSocket frames of a type."""
        return self._client.frames(type_) if self._client else []

    def has_notice(self, type_: str) -> bool:
        """Return whether the user's inbox has a notification of a type."""
        return any(one["type"] == type_ for one in self.platform.notifications(self.user))

    def mails(self) -> list[str]:
        """Return the e-mails to the user."""
        return [f"{m.subject} {m.html}" for m in self.platform.sent().mails if m.to == self._email]

    def texts(self) -> list[str]:
        """Return the text messages to the user."""
        return [sms.text for sms in self.platform.sent().sms if sms.to == self._phone]

    def received(self, type_: str, text: str, channels: set[str]) -> bool:
        """Return whether the user received a text on exactly these channels."""
        received = {
            "websocket": [frame["message"] for frame in self.frames(type_)],
            "email": self.mails(),
            "sms": self.texts(),
        }
        found = {name for name, texts in received.items() if any(text in t for t in texts)}
        return found == channels

    def check_totals(self, mails: int, texts: int) -> None:
        """Check the total number of messages, when all deliveries have ended."""
        self.check(
            f"{_count(mails, 'e-mail')} and {texts} SMS in total",
            lambda: self._totals_are(mails, texts),
        )

    def _totals_are(self, mails: int, texts: int) -> bool:
        deliveries = [d for n in self.platform.notifications(self.user) for d in n["deliveries"]]
        ended = all(delivery["status"] != "pending" for delivery in deliveries)
        return ended and (len(self.mails()), len(self.texts())) == (mails, texts)

    def account(self) -> dict[str, Any]:
        """Return the user as shown by the API."""
        return dict(self.platform.get(f"/api/users/{self.user}"))

    def _pool(self) -> set[str]:
        devices = self.platform.get("/api/devices?status=available&health=running")
        return {device["id"] for device in devices["items"]}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
