"""A function with a rule that kills its process or lets it time out.

Each time, the rule adds a line to the file ``POISON_FILE``.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from device_events.contracts import DeviceFailed
from device_events.rules import release_failed_device
from scheduler.pipeline.consumer import Consumer
from scheduler.pipeline.event_rules import EventRules
from scheduler.settings import ConsumerSettings

if TYPE_CHECKING:
    from scheduler.domain.work import Work

EXITS: Final = "exits"
"""The event's reason with which the process exits, as if it had run out of memory."""
HANGS: Final = "hangs"
"""The event's reason with which the function times out."""

events: Final = EventRules()


@events.on(DeviceFailed)
def die_or_release(event: DeviceFailed, work: Work) -> None:
    if event.reason in {EXITS, HANGS}:
        with Path(os.environ["POISON_FILE"]).open("a") as file:
            file.write(f"{event.device_id}\n")
    if event.reason == EXITS:
        os._exit(137)
    if event.reason == HANGS:
        time.sleep(600)
    release_failed_device(event, work)


_consumer: Consumer | None = None


def handler(event: object, context: object) -> dict[str, int]:
    global _consumer  # noqa: PLW0603 - made at first use: tests import this module for its names
    _consumer = _consumer or Consumer(events, ConsumerSettings.from_environment())
    return _consumer.handle(event, context)
