"""The smallest and the fullest body of each event, for samples, tests and benchmarks.

Their device is ``d1`` and their user ``u1``. None has a ``timestamp``, ``version`` or ``eventId``.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn


class Bodies(dict[str, dict[str, Any]]):
    """Bodies by event type."""

    def __missing__(self, event_type: str) -> NoReturn:
        """Raise a LookupError that says where to add the body."""
        raise LookupError(f"{event_type} has no body: add one to events/bodies.py")


SMALLEST: Final = Bodies(
    {
        "device.failed": {"deviceId": "d1", "reason": "Docker container crashed"},
        "device.deleted": {"deviceId": "d1"},
        "device.status_changed": {"deviceId": "d1", "oldStatus": "running", "newStatus": "stopped"},
        "device.maintenance": {"deviceId": "d1", "maintenanceType": "系统升级"},
        "device.created": {"deviceId": "d1"},
        "user.deleted": {"userId": "u1"},
        "user.suspended": {"userId": "u1", "reason": "违反服务条款"},
        "user.quota_updated": {"userId": "u1", "newQuota": {"maxDevices": 5}},
        "user.quota_exceeded": {"userId": "u1", "quotaType": "devices", "current": 9, "limit": 1},
        "user.activated": {"userId": "u1"},
        "billing.payment_failed": {"userId": "u1", "amount": 100, "reason": "余额不足"},
        "billing.balance_low": {"userId": "u1", "currentBalance": 8.5, "threshold": 20},
        "billing.overdue": {"userId": "u1", "overdueAmount": 150.50, "overdueDays": 7},
        "billing.payment_success": {"userId": "u1", "amount": 100, "newBalance": 250},
        "billing.recharged": {"userId": "u1", "amount": 200, "newBalance": 450},
    }
)
"""Required fields only."""

FULLEST: Final = Bodies(
    SMALLEST
    | {
        "device.deleted": {"deviceId": "d1", "userId": "u1"},
        "device.maintenance": SMALLEST["device.maintenance"] | {"estimatedDuration": 30},
        "device.created": {
            "deviceId": "d1",
            "deviceType": "phone",
            "name": "Cloud phone 1",
            "status": "running",
            "cpuCores": 4,
            "memoryMB": 8192,
            "storageMB": 65536,
            "adbHost": "10.0.3.17",
            "adbPort": 5555,
        },
        "user.quota_updated": {
            "userId": "u1",
            "oldQuota": {"maxDevices": 8, "maxCpu": 32, "maxMemory": 65536},
            "newQuota": {"maxDevices": 5, "maxCpu": 20, "maxMemory": 40960},
        },
    }
)
"""All fields that publishers send, including those that no rule reads."""
