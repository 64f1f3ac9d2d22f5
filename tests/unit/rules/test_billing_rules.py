"""The rules of the billing events."""

from typing import Any

import pytest

from scheduler.domain.model import UserStatus
from scheduler.domain.state import Snapshot
from scheduler.messaging.message import Message
from scheduler.pipeline.outcome import Verdict
from tests.support.counter import FakeCounter
from tests.support.deciding import Decided, Told, run
from tests.support.events import message
from tests.support.world import MINUTE, NOW, held, user, world

PUSH = ("websocket",)
MAIL = ("websocket", "email")
ALL = ("websocket", "email", "sms")
STOPPED = "多次支付失败，账户已暂停服务"


def devices(count: int) -> Snapshot:
    return world(user(), *(held(f"d{n}") for n in range(1, count + 1)))


def failures(count: int, **fields: Any) -> list[Message]:  # noqa: ANN401 - any field
    return [message("billing.payment_failed", **fields) for _ in range(count)]


# -- failed payments -------------------------------------------------------------


def test_below_the_threshold_the_user_is_warned_and_keeps_the_devices() -> None:
    decided = run(*failures(2), on=devices(2))

    assert decided.released == {}
    assert not decided.work.user("u1").billing_hold
    assert decided.told == [
        Told(
            "u1",
            "billing_alert",
            MAIL,
            f"支付 ¥100 失败：余额不足。已连续失败 {count} 次，达到 3 次后服务将暂停。",
        )
        for count in (1, 2)
    ]


def test_at_the_threshold_devices_are_released_and_the_service_is_suspended() -> None:
    decided = run(*failures(3), on=devices(2))

    assert decided.released == {"d1": STOPPED, "d2": STOPPED}
    assert decided.work.user("u1").billing_hold
    assert [told.type for told in decided.told] == [
        *["billing_alert"] * 2,
        *["device_released"] * 2,
        "service_suspended",
    ]
    assert decided.told[-1] == Told(
        "u1",
        "service_suspended",
        ALL,
        "多次支付失败，账户已暂停服务。支付失败 3 次，已自动释放 2 台设备。",
    )


def test_above_the_threshold_new_allocations_are_released_too() -> None:
    counter = FakeCounter()
    run(*failures(3), on=devices(1), counter=counter)

    decided = run(*failures(1), on=devices(2), counter=counter)

    assert list(decided.released) == ["d1", "d2"]
    assert decided.work.user("u1").billing_hold


def test_failures_of_different_users_are_counted_separately() -> None:
    both = [*failures(2, userId="u1"), *failures(2, userId="u2")]

    decided = run(*both, on=world(held("d1", by="u1"), held("d2", by="u2")))

    assert decided.released == {}


def test_duplicate_failure_is_counted_once() -> None:
    once, again = failures(2, id="same")

    decided = run(once, again, *failures(1), on=devices(1))

    assert decided.verdicts == [Verdict.DONE, Verdict.DUPLICATE, Verdict.DONE]
    assert decided.released == {}


def test_failures_out_of_order_are_all_counted() -> None:
    late = [*failures(1, at=NOW - MINUTE), *failures(1, at=NOW - 2 * MINUTE)]

    decided = run(*late, *failures(1, at=NOW - 3 * MINUTE), on=devices(1))

    assert decided.verdicts == [Verdict.DONE] * 3
    assert list(decided.released) == ["d1"]


def test_failures_with_versions_out_of_order_are_all_counted() -> None:
    sent = [failures(1, version=version)[0] for version in (3, 1, 2)]

    assert run(*sent).verdicts == [Verdict.DONE] * 3


@pytest.mark.parametrize("success", ["billing.payment_success", "billing.recharged"])
def test_success_resets_the_count(success: str) -> None:
    decided = run(*failures(2), message(success), *failures(2), on=devices(1))

    assert decided.released == {}
    assert [told.type for told in decided.told] == ["billing_alert"] * 5


@pytest.mark.parametrize(
    "newer", ["billing.payment_success", "billing.recharged", "billing.overdue"]
)
def test_failure_older_than_the_last_payment_is_outdated(newer: str) -> None:
    counter = FakeCounter()
    first, late = message(newer, at=NOW - MINUTE), failures(1, at=NOW - 2 * MINUTE)[0]

    decided = run(first, on=devices(1), counter=counter)
    world_then = Snapshot(decided.work.users, decided.work.devices, {}, decided.work.marks)
    after = run(late, on=world_then, counter=counter)

    assert after.verdicts == [Verdict.OUTDATED]
    assert after.told == []
    assert counter.current("u1", NOW) == 0


# -- overdue ---------------------------------------------------------------------


def test_overdue_account_is_put_on_hold_and_its_devices_released() -> None:
    decided = run(message("billing.overdue"), on=devices(3))

    reason = "账户欠费 ¥150.50（7天），服务已暂停"
    assert decided.released == {"d1": reason, "d2": reason, "d3": reason}
    assert decided.work.user("u1").billing_hold


@pytest.mark.parametrize("count", [3, 0])
def test_overdue_user_is_notified_on_all_channels_even_without_devices(count: int) -> None:
    decided = run(message("billing.overdue"), on=devices(count))

    assert len(decided.told) == count + 1
    assert decided.told_but_releases == [
        Told("u1", "billing_alert", ALL, "账户已欠费 ¥150.50（7天），所有设备已自动释放。")
    ]


def test_whole_amounts_have_no_decimals() -> None:
    decided = run(message("billing.overdue", overdueAmount=100.00, overdueDays=30))

    assert decided.told[0].message == "账户已欠费 ¥100（30天），所有设备已自动释放。"


# -- success and balance -----------------------------------------------------------


@pytest.mark.parametrize(
    ("event_type", "text"),
    [
        ("billing.payment_success", "支付 ¥100 成功，当前余额 ¥250。"),
        ("billing.recharged", "充值 ¥200 成功，当前余额 ¥450。"),
    ],
)
def test_payment_lifts_the_hold_and_notifies_by_websocket(event_type: str, text: str) -> None:
    decided = run(message(event_type), on=world(user(billing_hold=True)))

    assert not decided.work.user("u1").billing_hold
    assert decided.told == [Told("u1", "billing_alert", PUSH, text)]


@pytest.mark.parametrize(("later", "hold"), [(2, False), (3, True)])
@pytest.mark.parametrize("event_type", ["billing.payment_success", "billing.recharged"])
def test_late_payment_does_not_clear_the_failures_after_it(
    *, event_type: str, later: int, hold: bool
) -> None:
    late = message(event_type, at=NOW - MINUTE)
    decided = run(*failures(later), late, on=world(user(billing_hold=True)))

    assert decided.work.user("u1").billing_hold is hold
    assert f"later payment failures: {later}/3" in decided.outcomes[-1].remarks


@pytest.mark.parametrize("event_type", ["billing.payment_success", "billing.recharged"])
def test_payment_does_not_end_a_suspension(event_type: str) -> None:
    on = world(user(status=UserStatus.SUSPENDED, billing_hold=True))

    assert run(message(event_type), on=on).work.user("u1") == user(status=UserStatus.SUSPENDED)


def test_low_balance_only_notifies_the_user() -> None:
    decided = run(message("billing.balance_low"), on=devices(1))

    assert decided.released == {}
    assert decided.work.changed_users == {}
    assert decided.told == [
        Told("u1", "billing_alert", MAIL, "当前余额 ¥8.50，低于提醒额度 ¥20，请及时充值。")
    ]


def test_negative_balance_is_shown_with_its_sign() -> None:
    sent = message("billing.balance_low", currentBalance=-3.5)

    assert run(sent).told[0].message.startswith("当前余额 -¥3.50，")


# -- log -----------------------------------------------------------------------------


def remarks(decided: Decided) -> list[str]:
    return [" ".join(outcome.remarks) for outcome in decided.outcomes]


def test_log_shows_the_count_and_the_suspension() -> None:
    assert remarks(run(*failures(3), on=devices(2))) == [
        "payment failure count: 1/3",
        "payment failure count: 2/3",
        (
            "payment failure count: 3/3"
            " User u1 reached payment failure threshold, releasing all devices (2)"
        ),
    ]


def test_log_shows_what_an_overdue_account_lost() -> None:
    assert remarks(run(message("billing.overdue"), on=devices(3))) == [
        "Released 3 allocations, sent 3 notifications due to overdue account of u1"
    ]


def test_log_shows_that_the_count_was_reset() -> None:
    assert remarks(run(message("billing.payment_success"))) == [
        "Reset payment failure count for user u1"
    ]


@pytest.mark.parametrize("event_type", ["billing.payment_success", "billing.recharged"])
@pytest.mark.parametrize(
    ("new_balance", "holds"), [(-149.5, True), (-0.01, True), (0, False), (1, False)]
)
def test_hold_remains_while_the_account_is_in_debt(
    event_type: str, new_balance: float, *, holds: bool
) -> None:
    paid = message(event_type, newBalance=new_balance)

    decided = run(paid, on=world(user(billing_hold=True)))

    assert decided.work.user("u1").billing_hold is holds
    assert [told.type for told in decided.told] == ["billing_alert"]


def in_debt(minutes: int) -> Message:
    return message("billing.recharged", at=NOW - minutes * MINUTE, newBalance=-1)


def test_any_payment_lifts_the_hold_of_failed_payments() -> None:
    decided = run(*failures(3, at=NOW - 2 * MINUTE), in_debt(1))

    assert not decided.work.user("u1").billing_hold


@pytest.mark.parametrize("overdue_comes", ["first", "last"])
def test_payment_that_leaves_a_debt_keeps_the_hold_of_an_overdue_account(
    overdue_comes: str,
) -> None:
    overdue, failed = message("billing.overdue", at=NOW - 5 * MINUTE), failures(3)
    both = [overdue, *failed] if overdue_comes == "first" else [*failed, overdue]

    decided = run(*both, message("billing.recharged", newBalance=-1))

    assert decided.work.user("u1").billing_hold


def test_payment_without_a_debt_leaves_only_the_hold_of_later_failures() -> None:
    overdue = message("billing.overdue", at=NOW - 9 * MINUTE)
    paid = message("billing.recharged", at=NOW - 8 * MINUTE, newBalance=0)
    failed = failures(3, at=NOW - 7 * MINUTE)
    before = world(user(billing_hold=True))
    counter = FakeCounter()

    late = run(overdue, *failed, paid, on=before, counter=counter).work.user("u1")
    again = run(in_debt(6), on=world(late), counter=counter).work.user("u1")

    assert late.billing_hold
    assert not again.billing_hold
