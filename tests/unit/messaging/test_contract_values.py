"""Which ids, texts, numbers and versions the contracts accept."""

from decimal import Decimal
from typing import Any

import pytest

from events.bodies import FULLEST
from tests.support.events import EVENT_TYPES, encoded
from tests.unit.messaging.reading import event, refusal


@pytest.mark.parametrize("good", ["d", "x" * 64, "设备-1", "😀" * 64, "a b", "' OR 1=1 --", "%s"])
def test_ids_have_one_to_64_characters_of_any_script(good: str) -> None:
    assert event("device.failed", deviceId=good).device_id == good


@pytest.mark.parametrize(
    "bad",
    ["", "x" * 65, "d\x00", "d\n", " d", "d ", "\u2028", "a\x7fb", "\x85", "\ufeffd", "d\ufeff"],
)
def test_other_ids_are_refused(bad: str) -> None:
    assert refusal("device.failed", deviceId=bad).startswith("deviceId: ")
    assert refusal("user.activated", userId=bad).startswith("userId: ")


@pytest.mark.parametrize(
    ("id_", "accepted"),
    [("a/b", False), ("a?b", False), (".", False), ("..", False), ("...", True), (".a", True)],
)
def test_ids_that_a_path_cannot_contain_are_refused(id_: str, *, accepted: bool) -> None:
    """Clients resolve dots before they send a request."""
    assert (refusal("device.failed", deviceId=id_) == "") is accepted


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
        (-0.0, "0"),
        (0.1 + 0.2, "0.3"),
        ("0." + 5000 * "3", "0.33"),
        (1e-30, "0"),
    ],
)
def test_amounts_are_read_in_cents(amount: object, read: str) -> None:
    found = event("billing.overdue", overdueAmount=amount).overdue_amount

    assert found == Decimal(read)
    assert not found.is_signed()


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
    ("balance", "in_debt"),
    [(-0.01, True), (-0.0, False), (0.3 - 0.1 - 0.2, False), ("-0.00", False), (0, False)],
)
def test_balance_of_less_than_a_cent_is_not_a_debt(balance: object, *, in_debt: bool) -> None:
    """JavaScript adds money as floats: 0.3 - 0.1 - 0.2 is -2.8e-17."""
    assert event("billing.recharged", newBalance=balance).in_debt is in_debt


INTEGERS = [
    ("billing.overdue", "overdueDays"),
    ("device.maintenance", "estimatedDuration"),
    ("device.created", "cpuCores"),
    ("device.created", "memoryMB"),
    ("device.created", "storageMB"),
    ("device.created", "adbPort"),
    ("user.quota_exceeded", "limit"),
    ("user.quota_exceeded", "current"),
]


@pytest.mark.parametrize(("event_type", "field"), INTEGERS)
@pytest.mark.parametrize("number", [7, "7", 7.0, "7.0", "07"])
def test_integers_are_numbers_or_plain_texts(event_type: str, field: str, number: object) -> None:
    fields: dict[str, Any] = {field: number}

    assert event(event_type, **fields).model_dump(by_alias=True)[field] == 7


@pytest.mark.parametrize(("event_type", "field"), INTEGERS)
@pytest.mark.parametrize("number", [True, False, "1_0", " 7", "+7", "٧", "７", "7.5", 7.5, "", []])
def test_other_integers_are_refused(event_type: str, field: str, number: object) -> None:
    """False is no quota of 0, for which all devices of a user would be released."""
    fields: dict[str, Any] = {field: number}

    assert refusal(event_type, **fields).startswith(f"{field}: Input should be a valid integer")


@pytest.mark.parametrize("event_type", EVENT_TYPES)
@pytest.mark.parametrize("number", [True, "1_0"])
def test_every_integer_field_refuses_other_types(event_type: str, number: object) -> None:
    """A new field needs `PLAIN_INTEGER` too."""
    body = FULLEST[event_type]
    integers = {name for name, value in body.items() if type(value) is int}
    amounts = {"amount", "newBalance", "threshold", "currentBalance", "overdueAmount"}

    for name in integers - amounts:
        why = refusal(event_type, body=encoded(body | {name: number}))
        assert why.startswith(f"{name}: Input should be a valid integer")


@pytest.mark.parametrize("limit", ["maxDevices", "maxCpu", "maxMemory"])
def test_quota_is_made_of_integers(limit: str) -> None:
    quota = {"maxDevices": 5, limit: False}

    why = refusal("user.quota_updated", newQuota=quota)
    assert why == f"newQuota.{limit}: Input should be a valid integer, such as 7"


@pytest.mark.parametrize(
    ("old", "shown"),
    [(9, "devices: 9 → 5"), (10**4000, "devices: 5"), (-1, "devices: 5"), (True, "devices: 5")],
)
def test_former_quota_is_shown_if_it_may_be_one(old: object, shown: str) -> None:
    updated = event("user.quota_updated", oldQuota={"maxDevices": old}, newQuota={"maxDevices": 5})

    assert updated.summary == shown


@pytest.mark.parametrize("word", ["CPU", "Cpu", " cpu "])
def test_quota_type_is_compared_without_case(word: str) -> None:
    assert event("user.quota_exceeded", quotaType=word).quota_type == "cpu"


@pytest.mark.parametrize(
    ("gigabytes", "megabytes"), [(8, 8192), ("8", 8192), (0.5, 512), ("0.5", 512), (8.0, 8192)]
)
def test_storage_in_gigabytes_is_converted(gigabytes: object, megabytes: int) -> None:
    created = event("device.created", deviceConfig={"storageGB": gigabytes})

    assert created.storage_mb == megabytes


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"storageGB": "8GB"}, "deviceConfig.storageGB: Input should be a number such as 8"),
        ({"storageGB": True}, "deviceConfig.storageGB: Input should be a number such as 8"),
        ({"storageGB": -1}, "storageMB: Input should be greater than or equal to 0"),
        ({"cpuCores": "four"}, "cpuCores: Input should be a valid integer, such as 7"),
        ("{}", "deviceConfig: Input should be a JSON object"),
        ([], "deviceConfig: Input should be a JSON object"),
    ],
)
def test_sizes_that_are_unclear_are_refused(config: object, why: str) -> None:
    assert refusal("device.created", deviceConfig=config) == why


@pytest.mark.parametrize(
    ("sign", "limit"),
    [("", "less than or equal to 1000000000"), ("-", "greater than or equal to 0")],
)
def test_size_of_half_a_million_digits_is_refused_without_converting_it(
    sign: str, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To convert it took 14 seconds, in which the other messages of the batch waited."""

    class Size(Decimal):
        def __mul__(self, factor: object) -> Decimal:
            return Size(Decimal(self) * Decimal(str(factor)))

        def __int__(self) -> int:
            raise AssertionError("it was converted")

    monkeypatch.setattr("device_events.contracts.Decimal", Size)

    why = refusal("device.created", deviceConfig={"storageGB": sign + "9" * 500_000})

    assert why == f"storageMB: Input should be {limit}"


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
