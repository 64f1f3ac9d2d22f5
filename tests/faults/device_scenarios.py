"""The scenarios of a drill that are about one device; see `tests.faults.scenarios`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.faults.workload import DrillWorkload, Household

HISTORY: Final = (2, 4)
"""Minimum and maximum number of events about the same concern."""


def created(load: DrillWorkload) -> None:
    """A device joins the pool."""
    home = load.household(0)
    load.event(home, "device.created", f"d{home.number}-new", cpuCores=4)


def device_changes(load: DrillWorkload) -> None:
    """A device breaks and works again several times; it may be deleted and created again."""
    home = load.household(1)
    for _ in range(load.chance.randint(*HISTORY)):
        change_device(load, home)


def device_with_some_versions(load: DrillWorkload) -> None:
    """Only some changes of a device have a version, which may restart when it is created again."""
    home = load.household(1)
    for _ in range(load.chance.randint(*HISTORY)):
        stamp = perhaps_version(load, load.chance.randint(1, 3))
        change_device(load, home, **stamp)


def deleted_twice(load: DrillWorkload) -> None:
    """A device is deleted, perhaps created again, and deleted once more, while somebody waits."""
    home = load.household(1, sized=True)
    load.waiter(home)
    for _ in range(2):
        load.event(home, "device.deleted", home.devices[0])
    if load.chance.random() < 2 / 3:
        load.event(home, "device.created", home.devices[0])
    if load.chance.random() < 1 / 2:
        load.event(home, "device.status_changed", home.devices[0], newStatus="running")


def device_trouble(load: DrillWorkload) -> None:
    """An allocated device fails, is deleted, stops or enters maintenance; nothing else happens."""
    break_device(load, load.household(1))


def change_device(load: DrillWorkload, home: Household, **stamp: int) -> None:
    """Add an event about the first device: it is created, runs again or breaks."""
    if load.chance.random() < 1 / 3:
        load.event(home, "device.created", home.devices[0], **stamp)
    elif load.chance.random() < 1 / 3:
        load.event(home, "device.status_changed", home.devices[0], newStatus="running", **stamp)
    else:
        break_device(load, home, **stamp)


def break_device(load: DrillWorkload, home: Household, **stamp: int) -> None:
    """Add an event that takes the first device from its holder."""
    event_type = load.chance.choice(
        ("device.failed", "device.deleted", "device.maintenance", "device.status_changed")
    )
    load.event(home, event_type, f"d{home.number}-0", **stamp)


def perhaps_version(load: DrillWorkload, version: int) -> dict[str, int]:
    """Return the field of a version, or none."""
    return {"version": version} if load.chance.random() < 1 / 2 else {}
