"""One scenario being told: its users, its devices, its steps and checks."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.scenarios.listener import Listener
    from tests.scenarios.platform import Platform

_CREATED: Final = 201


class Story:
    """Makes a user and devices of its own, so that scenarios do not disturb each other."""

    def __init__(self, platform: Platform, say: Callable[[str], None]) -> None:
        self.platform = platform
        self._say = say
        tag = uuid.uuid4().hex[:8]
        self.user = f"scenario-{tag}"
        self._email = f"{self.user}@example.com"
        self._phone = f"+86138{int(tag, 16) % 10**8:08}"
        self._device = f"scenario-{tag}-{{}}"
        self._client: Listener | None = None

    def close(self) -> None:
        """Let the user's client disconnect."""
        if self._client is not None:
            self._client.close()

    def step(self, sentence: str) -> None:
        """Tell what is done next."""
        self._say(f"  → {sentence}")

    def check(self, sentence: str, holds: Callable[[], bool]) -> None:
        """Wait until a statement is true, and tell it."""
        self.platform.wait_until(holds, sentence)
        self._say(f"  ✓ {sentence}")

    def given(self, devices: int, quota: int = 10) -> None:
        """Make a user with a quota who listens to the WebSocket, and as many new devices."""
        self.step(f"given user {self.user} with quota {quota}, and {devices} new devices")
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
        self.step(f"allocate {count} device(s)")
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
        """Return what the user holds."""
        return self.platform.allocations(self.user, "ALLOCATED")

    def released(self) -> list[dict[str, Any]]:
        """Return what was taken back."""
        return self.platform.allocations(self.user, "RELEASED")

    def frames(self, type_: str) -> list[dict[str, Any]]:
        """Return the frames of a type that the user's client received."""
        return self._client.frames(type_) if self._client else []

    def mails(self) -> list[str]:
        """Return the e-mails that the user got."""
        return [f"{m.subject} {m.html}" for m in self.platform.sent().mails if m.to == self._email]

    def texts(self) -> list[str]:
        """Return the text messages that the user got."""
        return [sms.text for sms in self.platform.sent().sms if sms.to == self._phone]

    def told(self, type_: str, text: str, channels: set[str]) -> bool:
        """Tell whether the user read a text on these channels, and not on others."""
        read = {
            "websocket": [frame["message"] for frame in self.frames(type_)],
            "email": self.mails(),
            "sms": self.texts(),
        }
        return {channel for channel, got in read.items() if any(text in t for t in got)} == channels

    def check_nothing_more(self, mails: int, texts: int) -> None:
        """Check, when everything was sent, how much that was."""
        self.check(f"in all {mails} e-mail(s) and {texts} SMS", lambda: self._were(mails, texts))

    def _were(self, mails: int, texts: int) -> bool:
        deliveries = [d for n in self.platform.notifications(self.user) for d in n["deliveries"]]
        over = all(delivery["status"] != "pending" for delivery in deliveries)
        return over and (len(self.mails()), len(self.texts())) == (mails, texts)

    def account(self) -> dict[str, Any]:
        """Return the user as the API shows him."""
        return dict(self.platform.get(f"/api/users/{self.user}"))

    def _pool(self) -> set[str]:
        devices = self.platform.get("/api/devices?status=available&health=running")
        return {device["id"] for device in devices["items"]}
