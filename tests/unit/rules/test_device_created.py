"""What `device.created` makes known of a device."""

from datetime import datetime
from typing import Any

import pytest

from scheduler.domain.model import Device, DeviceStatus, Health
from scheduler.pipeline.outcome import Verdict
from tests.support.deciding import run
from tests.support.events import message
from tests.support.world import MILLISECOND, MINUTE, NOW, device, held, world


def test_created_device_joins_the_pool_as_described() -> None:
    described: dict[str, Any] = {
        "name": "手机",
        "cpuCores": 4,
        "memoryMB": 8192,
        "storageMB": 65536,
    }

    decided = run(message("device.created", **described))

    assert decided.work.device("d1") == Device(
        "d1", "手机", DeviceStatus.AVAILABLE, Health.RUNNING, 4, 8192, 65536, known=False
    )


@pytest.mark.parametrize(
    "missing", [{}, {"name": "", "cpuCores": 0, "storageMB": 0}, {"deviceConfig": {"cpuCores": 0}}]
)
def test_creation_keeps_known_values_of_missing_fields(missing: dict[str, Any]) -> None:
    """Go writes the zero values of fields that are not set."""
    known = device("d1", name="old", cpu_cores=8, memory_mb=1, storage_mb=2, health=Health.ERROR)

    decided = run(message("device.created", memoryMB=16, **missing), on=world(known))

    created = decided.work.device("d1")
    assert (created.name, created.cpu_cores, created.memory_mb, created.storage_mb) == (
        *("old", 8),
        *(16, 2),
    )


@pytest.mark.parametrize("version", [None, 7])
@pytest.mark.parametrize(
    ("at", "device_"),
    [
        (NOW - MINUTE, device("d1", name="edited", cpu_cores=2, memory_mb=16, storage_mb=0)),
        (NOW, device("d1", name="new", cpu_cores=4, memory_mb=16, adb_host="host")),
        (NOW + MINUTE, device("d1", name="new", cpu_cores=4, memory_mb=16, adb_host="host")),
    ],
    ids=["older", "same second", "newer"],
)
def test_creation_replaces_what_an_administrator_has_changed_only_if_it_is_not_older(
    at: datetime, device_: Device, version: int | None
) -> None:
    edited_at = NOW + 300 * MILLISECOND
    known = device("d1", name="edited", memory_mb=0, edited_at=edited_at, health=Health.STOPPED)
    fields: dict[str, Any] = {"name": "new", "cpuCores": 4, "memoryMB": 16, "adbHost": "host"}

    created = run(message("device.created", at=at, version=version, **fields), on=world(known))

    assert created.work.device("d1") == device_._replace(edited_at=edited_at)


@pytest.mark.parametrize("version", [None, 1])
@pytest.mark.parametrize("newer", [{}, {"cpuCores": 8, "name": "newer"}, {"memoryMB": 16}])
@pytest.mark.parametrize("older", [{}, {"cpuCores": 4, "storageMB": 32}, {"name": "older"}])
def test_two_creations_in_any_order_describe_the_device_alike(
    older: dict[str, Any], newer: dict[str, Any], version: int | None
) -> None:
    first = message("device.created", at=NOW - MINUTE, version=version, **older)
    second = message("device.created", at=NOW, version=version and version + 1, **newer)

    in_order, reversed_ = run(first, second), run(second, first)

    assert reversed_.work.device("d1") == in_order.work.device("d1")
    assert reversed_.verdicts == [Verdict.DONE, Verdict.OUTDATED]


def test_outdated_creation_keeps_the_address() -> None:
    """Its own may be of a former life, and belong to another device by now."""
    older = message("device.created", at=NOW - MINUTE, adbHost="old", adbPort=1)

    found = run(message("device.created", at=NOW), older).work.device("d1")

    assert (found.adb_host, found.adb_port) == (None, None)


@pytest.mark.parametrize("event_type", ["device.failed", "device.status_changed", "device.deleted"])
def test_creation_after_an_event_that_made_the_device_known_describes_it(event_type: str) -> None:
    created = message("device.created", at=NOW - MINUTE, name="new", cpuCores=4, adbHost="host")

    found = run(message(event_type, at=NOW), created).work.device("d1")

    assert (found.name, found.cpu_cores, found.adb_host) == ("new", 4, "host")


def test_creation_does_not_release_the_device() -> None:
    decided = run(message("device.created", name="new"), on=world(held("d1")))

    assert decided.released == {}
    assert decided.work.device("d1").status is DeviceStatus.ALLOCATED
