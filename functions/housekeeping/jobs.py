"""The jobs, in the order in which they run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from housekeeping.brake import watch_brake
from housekeeping.expiry import expire, warn
from housekeeping.measure import measure
from housekeeping.purge import purge
from housekeeping.reconcile.deliveries import reconcile_deliveries
from housekeeping.reconcile.devices import reconcile_devices
from housekeeping.reconcile.notifications import reconcile_notifications
from housekeeping.reconcile.users import reconcile_users
from housekeeping.reservations import start_reservations
from housekeeping.sweep import sweep
from housekeeping.waiting import expire_waiting, serve_waiting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from housekeeping.runner import Job

JOBS: Final[Mapping[str, Job]] = {
    "expire": expire,
    "start-reservations": start_reservations,  # of devices that have just expired, too
    "warn": warn,
    "sweep": sweep,
    "reconcile-users": reconcile_users,
    "reconcile-devices": reconcile_devices,
    "reconcile-deliveries": reconcile_deliveries,
    "reconcile-notifications": reconcile_notifications,
    "brake": watch_brake,
    "expire-waiting": expire_waiting,
    "serve-waiting": serve_waiting,  # after all that may free a device
    "purge": purge,
    "measure": measure,  # last: only this one may have to wait for a broker that hangs
}
