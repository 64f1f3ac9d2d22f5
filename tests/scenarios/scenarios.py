"""The six acceptance scenarios of the event contract."""

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
    """A device fails: its user loses it and reads why."""
    story.given(devices=1)
    (allocation,) = story.allocate(1)
    device = f"/api/devices/{allocation['deviceId']}"
    story.publish(
        "device.failed", deviceId=allocation["deviceId"], reason="Docker container crashed"
    )
    page = f"/api/allocations/{allocation['id']}"
    story.check("allocation RELEASED", lambda: story.platform.get(page)["status"] == "RELEASED")
    story.check(
        "device available, but not healthy",
        lambda: (
            story.platform.get(device)["status"] == "available"
            and story.platform.get(device)["health"] == "failed"
        ),
    )
    story.check(
        "the user reads 设备故障：Docker container crashed",
        lambda: story.told("device_released", "设备故障：Docker container crashed", _PUSH),
    )
    story.check_nothing_more(mails=0, texts=0)


def suspended_user(story: Story) -> None:
    """A user is suspended: everything is taken back and nothing new is given."""
    story.given(devices=3)
    story.allocate(3)
    story.publish("user.suspended", userId=story.user, reason="违规使用")
    story.check("all three RELEASED", lambda: len(story.released()) == 3 and not story.active())
    story.check("three device_released", lambda: len(story.frames("device_released")) == 3)
    story.check(
        "account_suspended by websocket and e-mail",
        lambda: story.told("account_suspended", "违规使用", _MAIL),
    )
    story.check("a new allocation is refused", lambda: _refused(story, "user_suspended"))
    story.check_nothing_more(mails=1, texts=0)


def reduced_quota(story: Story) -> None:
    """A quota shrinks: the oldest devices go, the newest stay."""
    story.given(devices=8, quota=8)
    given = [allocation["id"] for allocation in story.allocate(8)]
    story.publish(
        "user.quota_updated",
        userId=story.user,
        oldQuota={"maxDevices": 8, "maxCpu": 64, "maxMemory": 131072},
        newQuota={"maxDevices": 5, "maxCpu": 64, "maxMemory": 131072},
    )
    story.check(
        "the oldest three RELEASED", lambda: {a["id"] for a in story.released()} == set(given[:3])
    )
    story.check("the newest five kept", lambda: {a["id"] for a in story.active()} == set(given[3:]))
    story.check("three device_released", lambda: len(story.frames("device_released")) == 3)
    story.check(
        "one quota notice by websocket and e-mail",
        lambda: len(story.frames("quota_adjusted")) == 1,
    )
    story.check_nothing_more(mails=1, texts=0)


def overdue_account(story: Story) -> None:
    """An account is overdue: everything is taken back, the user told on every channel."""
    story.given(devices=3)
    story.allocate(3)
    story.publish("billing.overdue", userId=story.user, overdueAmount=150.50, overdueDays=7)
    story.check("all three RELEASED", lambda: len(story.released()) == 3 and not story.active())
    text = "账户已欠费 ¥150.50（7天），所有设备已自动释放"
    story.check(
        f"{text} by websocket, e-mail and SMS", lambda: story.told("billing_alert", text, _ALL)
    )
    story.check("three device_released", lambda: len(story.frames("device_released")) == 3)
    story.check("a new allocation is refused", lambda: _refused(story, "billing_hold"))
    story.check_nothing_more(mails=1, texts=1)


def repeated_payment_failures(story: Story) -> None:
    """Payments fail: two warnings, at the third the service stops."""
    story.given(devices=2)
    story.allocate(2)
    for number in (1, 2):
        story.publish("billing.payment_failed", userId=story.user, amount=100, reason="余额不足")
        story.check(f"warning {number}, the devices run on", partial(_only_warned, story, number))
    story.publish("billing.payment_failed", userId=story.user, amount=100, reason="余额不足")
    story.check("both RELEASED", lambda: len(story.released()) == 2 and not story.active())
    story.check(
        "service_suspended on every channel",
        lambda: story.told("service_suspended", "多次支付失败，账户已暂停服务", _ALL),
    )
    story.check("a new allocation is refused", lambda: _refused(story, "billing_hold"))
    story.check_nothing_more(mails=3, texts=1)


def payment_success(story: Story) -> None:
    """A payment succeeds after two failures: the count starts anew."""
    story.given(devices=1)
    for number in (1, 2):
        story.publish("billing.payment_failed", userId=story.user, amount=100, reason="余额不足")
        story.check(f"failure {number} counted", partial(_failures_are, story, number))
    story.publish("billing.payment_success", userId=story.user, amount=100, newBalance=250)
    story.check("count is 0", partial(_failures_are, story, 0))
    story.check(
        "the user reads 支付 ¥100 成功，当前余额 ¥250",
        lambda: story.told("billing_alert", "支付 ¥100 成功，当前余额 ¥250", _PUSH),
    )
    story.check(
        "allocating works", lambda: story.platform.allocate(story.user).status_code == _CREATED
    )
    story.check_nothing_more(mails=2, texts=0)


def _only_warned(story: Story, times: int) -> bool:
    warnings = (len(story.frames("billing_alert")), len(story.mails()))
    return warnings == (times, times) and len(story.active()) == 2


def _failures_are(story: Story, count: int) -> bool:
    return bool(story.account()["paymentFailures"] == count)


def _refused(story: Story, code: str) -> bool:
    answer = story.platform.allocate(story.user)
    return answer.status_code == _FORBIDDEN and answer.json()["error"]["code"] == code


SCENARIOS: Final[tuple[Callable[[Story], None], ...]] = (
    failed_device,
    suspended_user,
    reduced_quota,
    overdue_account,
    repeated_payment_failures,
    payment_success,
)
