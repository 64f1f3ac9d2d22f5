"""Rules of the device events that fail for marked devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from device_events.contracts import DeviceFailed, DeviceStatusChanged
from device_events.rules import follow_device_status, release_failed_device
from scheduler.pipeline.event_rules import EventRules

if TYPE_CHECKING:
    from scheduler.domain.work import Work

RAISES: Final = "raises-"
"""The rule raises for such a device."""
REFUSED: Final = "refused-"
"""The database refuses to store such a device."""

TRIGGER: Final = f"""
    CREATE OR REPLACE TRIGGER refuse_devices BEFORE INSERT ON devices FOR EACH ROW
    IF NEW.id LIKE '{REFUSED}%' THEN
        SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused by the test';
    END IF
"""

events: Final = EventRules()


@events.on(DeviceFailed)
def fail_or_release(event: DeviceFailed, work: Work) -> None:
    _raise_if_marked(event.device_id)
    release_failed_device(event, work)


@events.on(DeviceStatusChanged)
def fail_or_follow(event: DeviceStatusChanged, work: Work) -> None:
    _raise_if_marked(event.device_id)
    follow_device_status(event, work)


def _raise_if_marked(device_id: str) -> None:
    if device_id.startswith(RAISES):
        raise LookupError(f"no rule for {device_id}")
