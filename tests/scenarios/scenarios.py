"""The six acceptance scenarios."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.scenarios.story import Story

_FORBIDDEN: Final = 403
_CREATED: Final = 201
_PUSH: Final = {"websocket"}
_MAIL: Final = {"websocket", "email"}
_ALL: Final = {"websocket", "email", "sms"}


def failed_device(story: Story) -> None:
    """A device fails: it is released and its user is told the reason."""
    story.given(devices=1)
    (allocation,) = story.allocate(1)
    device = f"/api/devices/{allocation['deviceId']}"
    story.publish(
        "device.failed", deviceId=allocation["deviceId"], reason="Docker container crashed"
    )
    page = f"/api/allocations/{allocation['id']}"
    story.check(
        "the allocation is RELEASED", lambda: story.platform.get(page)["status"] == "RELEASED"
    )
    story.check(
        "the device is available with health failed",
        lambda: (
            story.platform.get(device)["status"] == "available"
            and story.platform.get(device)["health"] == "failed"
        ),
    )
    story.check(
        "the user receives 设备故障：Docker container crashed",
        lambda: story.received("device_released", "设备故障：Docker container crashed", _PUSH),
    )
    story.check_totals(mails=0, texts=0)


def suspended_user(story: Story) -> None:
    """A user is suspended: all devices are released and new allocations are refused."""
    story.given(devices=3)
    story.allocate(3)
    story.publish("user.suspended", userId=story.user, reason="违规使用")
    story.check(
        "all three allocations are RELEASED",
        lambda: len(story.released()) == 3 and not story.active(),
    )
    story.check(
        "the user receives three device_released notifications",
        lambda: len(story.frames("device_released")) == 3,
    )
    story.check(
        "the user receives account_suspended by WebSocket and e-mail",
        lambda: story.received("account_suspended", "违规使用", _MAIL),
    )
    story.check("a new allocation is refused", lambda: _refused(story, "user_suspended"))
    story.check_totals(mails=1, texts=0)


def reduced_quota(story: Story) -> None:
    """A quota is reduced: the oldest devices are released, the newest are kept."""
    story.given(devices=8, quota=8)
    given = [allocation["id"] for allocation in story.allocate(8)]
    story.publish(
        "user.quota_updated",
        userId=story.user,
        oldQuota={"maxDevices": 8, "maxCpu": 64, "maxMemory": 131072},
        newQuota={"maxDevices": 5, "maxCpu": 64, "maxMemory": 131072},
    )
    story.check(
        "the oldest three allocations are RELEASED",
        lambda: {a["id"] for a in story.released()} == set(given[:3]),
    )
    story.check(
        "the newest five allocations are active",
        lambda: {a["id"] for a in story.active()} == set(given[3:]),
    )
    story.check(
        "the user receives three device_released notifications",
        lambda: len(story.frames("device_released")) == 3,
    )
    story.check(
        "the user receives one quota_adjusted notification",
        lambda: len(story.frames("quota_adjusted")) == 1,
    )
    story.check_totals(mails=1, texts=0)


def overdue_account(story: Story) -> None:
    """An account is overdue: all devices are released, the user is notified on all channels."""
    story.given(devices=3)
    story.allocate(3)
    story.publish("billing.overdue", userId=story.user, overdueAmount=150.50, overdueDays=7)
    story.check(
        "all three allocations are RELEASED",
        lambda: len(story.released()) == 3 and not story.active(),
    )
    text = "账户已欠费 ¥150.50（7天），所有设备已自动释放。"
    story.check(
        f"the user receives {text} by WebSocket, e-mail and SMS",
        lambda: story.received("billing_alert", text, _ALL),
    )
    story.check(
        "the user receives three device_released notifications",
        lambda: len(story.frames("device_released")) == 3,
    )
    story.check("a new allocation is refused", lambda: _refused(story, "billing_hold"))
    story.check_totals(mails=1, texts=1)


def repeated_payment_failures(story: Story) -> None:
    """Payments fail: two warnings, then the service is suspended."""
    story.given(devices=2)
    story.allocate(2)
    for number in (1, 2):
        story.publish("billing.payment_failed", userId=story.user, amount=100, reason="余额不足")
        story.check(
            f"the user receives warning {number} and keeps both devices",
            partial(_only_warned, story, number),
        )
    story.publish("billing.payment_failed", userId=story.user, amount=100, reason="余额不足")
    story.check(
        "both allocations are RELEASED", lambda: len(story.released()) == 2 and not story.active()
    )
    story.check(
        "the user receives service_suspended on all channels",
        lambda: story.received("service_suspended", "多次支付失败，账户已暂停服务", _ALL),
    )
    story.check("a new allocation is refused", lambda: _refused(story, "billing_hold"))
    story.check_totals(mails=3, texts=1)


def payment_success(story: Story) -> None:
    """A payment succeeds after two failures: the failure count is reset."""
    story.given(devices=1)
    for number in (1, 2):
        story.publish("billing.payment_failed", userId=story.user, amount=100, reason="余额不足")
        story.check(f"failure {number} is counted", partial(_failures_are, story, number))
    story.publish("billing.payment_success", userId=story.user, amount=100, newBalance=250)
    story.check("the failure count is 0", partial(_failures_are, story, 0))
    story.check(
        "the user receives 支付 ¥100 成功，当前余额 ¥250。",
        lambda: story.received("billing_alert", "支付 ¥100 成功，当前余额 ¥250。", _PUSH),
    )
    story.check(
        "a new allocation succeeds",
        lambda: story.platform.allocate(story.user).status_code == _CREATED,
    )
    story.check_totals(mails=2, texts=0)


def _only_warned(story: Story, times: int) -> bool:
    warnings = (len(story.frames("billing_alert")), len(story.mails()))
    return warnings == (times, times) and len(story.active()) == 2


def _failures_are(story: Story, count: int) -> bool:
    return bool(story.account()["paymentFailures"] == count)


def _refused(story: Story, code: str) -> bool:
    response = story.platform.allocate(story.user)
    return response.status_code == _FORBIDDEN and response.json()["error"]["code"] == code


SCENARIOS: Final[tuple[Callable[[Story], None], ...]] = (
    failed_device,
    suspended_user,
    reduced_quota,
    overdue_account,
    repeated_payment_failures,
    payment_success,
)
