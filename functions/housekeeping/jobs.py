"""The jobs, in the order in which they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from housekeeping.erase import erase_deleted_users
from housekeeping.expiry import expire, warn
from housekeeping.measure import measure_brake, measure_queues
from housekeeping.reconcile import (
    reconcile_broken_devices,
    reconcile_deliveries,
    reconcile_devices,
    reconcile_notifications,
    reconcile_users,
)
from housekeeping.serve_waiting import expire_waiting, serve_waiting
from housekeeping.start_reservations import start_reservations
from housekeeping.sweep import sweep
from scheduler.database.purge import purge

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from housekeeping.runner import Job
    from housekeeping.tools import Tools
    from scheduler.observability.emf import Metrics


def purge_old(tools: Tools, metrics: Metrics) -> Iterator[int]:  # noqa: ARG001 - the signature of a job
    """Delete rows that are past their retention."""
    yield from purge(tools.database, tools.settings, tools.clock())


JOBS: Final[Mapping[str, Job]] = {
    "expire": expire,
    "start-reservations": start_reservations,  # after `expire`, which frees devices
    "warn": warn,
    "sweep": sweep,
    "reconcile-users": reconcile_users,
    "reconcile-broken-devices": reconcile_broken_devices,
    "reconcile-devices": reconcile_devices,
    "reconcile-deliveries": reconcile_deliveries,
    "reconcile-notifications": reconcile_notifications,
    "brake": measure_brake,
    "expire-waiting": expire_waiting,
    "serve-waiting": serve_waiting,  # after every job that may free a device
    "erase-deleted-users": erase_deleted_users,
    "purge": purge_old,
    "measure": measure_queues,  # last: the only job that may wait for a broker that hangs
}
