"""Which ids, texts, numbers and versions the contracts accept."""

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.messaging.reading import event, refusal


@pytest.mark.parametrize("good", ["d", "x" * 64, "设备-1", "😀" * 64, "a b", "' OR 1=1 --", "%s"])
def test_ids_have_one_to_64_characters_of_any_script(good: str) -> None:
    assert event("device.failed", deviceId=good).device_id == good


@pytest.mark.parametrize(
    "bad", ["", "x" * 65, "d\x00", "d\n", " d", "d ", "\u2028", "a\x7fb", "\x85"]
)
def test_other_ids_are_refused(bad: str) -> None:
    assert refusal("device.failed", deviceId=bad).startswith("deviceId: ")
    assert refusal("user.activated", userId=bad).startswith("userId: ")


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("", ""),
        ("  x ", "x"),
        ("line\r\nline\tx\x00y", "line line x y"),
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 299 + "…"),
        ("设" * 100_000, "设" * 299 + "…"),
        ("{used} %s ' \" \\", "{used} %s ' \" \\"),
    ],
)
def test_reason_becomes_one_line_of_at_most_300_characters(reason: str, kept: str) -> None:
    assert event("device.failed", reason=reason).reason == kept


@pytest.mark.parametrize(
    ("amount", "read"),
    [
        (150.50, "150.5"),
        ("150.50", "150.50"),
        (100, "100"),
        (0, "0"),
        (10**12, "1000000000000"),
        (0.1, "0.1"),
    ],
)
def test_amounts_are_read_as_written(amount: object, read: str) -> None:
    assert event("billing.overdue", overdueAmount=amount).overdue_amount == Decimal(read)


@pytest.mark.parametrize(
    "amount",
    [
        *[-0.01, 10**12 + 1, 1e300, True],
        *["NaN", "Infinity", "-Infinity", "many", "", "1e999"],
        *["1_000", "1e3", "1,000", " 1", "١٠٠", "１０", "¥1"],
    ],
)
def test_other_amounts_are_refused(amount: object) -> None:
    assert refusal("billing.overdue", overdueAmount=amount).startswith("overdueAmount: ")


@pytest.mark.parametrize(("balance", "good"), [(-3.5, True), (-(10**12), True), (-(10**13), False)])
def test_balance_may_be_negative_within_limits(balance: float, *, good: bool) -> None:
    assert (refusal("billing.balance_low", currentBalance=balance) == "") is good


@pytest.mark.parametrize(
    ("event_type", "fields"),
    [
        ("billing.overdue", {"overdueDays": -1}),
        ("billing.overdue", {"overdueDays": 100_001}),
        ("billing.overdue", {"overdueDays": 1.5}),
        ("device.maintenance", {"estimatedDuration": -1}),
        ("device.maintenance", {"estimatedDuration": 2**40}),
        ("device.status_changed", {"newStatus": 5}),
        ("device.created", {"cpuCores": -1}),
        ("device.created", {"memoryMB": 2**32}),
        ("device.created", {"adbPort": 65_536}),
        ("user.quota_updated", {"newQuota": {"maxDevices": -1}}),
        ("user.quota_updated", {"newQuota": {"maxDevices": 2**31}}),
        ("user.quota_updated", {"newQuota": {"maxCpu": 1}}),
        ("user.quota_exceeded", {"quotaType": "disks"}),
        ("user.quota_exceeded", {"limit": -1}),
        ("user.quota_exceeded", {"current": 10**30}),
    ],
)
def test_values_out_of_range_are_refused(event_type: str, fields: dict[str, Any]) -> None:
    (field,) = fields

    assert refusal(event_type, **fields).startswith(field)


@pytest.mark.parametrize("version", [1, 2**63 - 1, None])
def test_versions_from_1_to_2_to_the_63_are_accepted(version: int | None) -> None:
    assert event("device.failed", version=version).stamp.version == version


@pytest.mark.parametrize("version", [0, -1, 2**63, 10**30, 1.0, "1", True, []])
def test_other_versions_are_refused(version: object) -> None:
    assert refusal("device.failed", version=version).startswith("version: ")
