"""The bodies in docs/nestjs.md mean what the page says."""

from __future__ import annotations

import re
from typing import Any, Final

from local.paths import ROOT
from operations.event_bodies import CONTRACTS
from scheduler.messaging.message import Message
from scheduler.messaging.validate import parse
from tests.support.world import NOW

PAGE: Final = (ROOT / "docs/nestjs.md").read_text("utf-8")
JSON: Final = re.compile(r"^ *```json\n(.*?)```", re.DOTALL | re.MULTILINE)
ROUTING_KEY: Final = re.compile(r"`((?:device|user|billing)\.\w+)`")


def parsed_bodies() -> list[tuple[str, Any]]:
    """Return each body's event, with the routing key that is named last before the body."""
    found = []
    for block in JSON.finditer(PAGE):
        routing_key = ROUTING_KEY.findall(PAGE, 0, block.start())[-1]
        message = Message("", block[1].encode(), {})
        found.append((routing_key, parse(message, CONTRACTS[routing_key], NOW).event))
    return found


def test_every_body_on_the_page_is_accepted() -> None:
    assert [routing_key for routing_key, _ in parsed_bodies()] == [
        "billing.payment_success",
        "device.failed",
        "device.created",
        "device.status_changed",
    ]


def test_device_of_the_original_platform_has_name_and_size_and_waits() -> None:
    event = dict(parsed_bodies())["device.created"]

    assert (event.name, event.status) == ("Test phone", "creating")
    assert (event.cpu_cores, event.memory_mb, event.storage_mb) == (4, 4096, 8192)


def test_envelope_gives_its_id_but_not_its_version() -> None:
    event = dict(parsed_bodies())["billing.payment_success"]

    assert (event.event_id, event.version) == ("e-1", None)
    assert event.user_id == "user-123"
