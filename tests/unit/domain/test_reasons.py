"""Why an allocation was released: the code for machines, and the exact Chinese text."""

from decimal import Decimal

import pytest

from scheduler.domain.reasons import ReleaseReason
from scheduler.notification.catalogue import reason_text

OVERDUE = ReleaseReason.billing_overdue


@pytest.mark.parametrize(
    ("why", "code", "text"),
    [
        (ReleaseReason.device_failed("坏"), "device_failed", "设备故障：坏"),
        (ReleaseReason.device_deleted(), "device_deleted", "设备已删除"),
        (
            ReleaseReason.device_status_changed("running", "error"),
            "device_status_changed",
            "设备状态变更：运行中 → 出错",
        ),
        (
            ReleaseReason.device_maintenance("升级", None),
            "device_maintenance",
            "设备维护：升级",
        ),
        (
            ReleaseReason.device_maintenance("升级", 30),
            "device_maintenance",
            "设备维护：升级，预计需要 30 分钟",
        ),
        (ReleaseReason.user_deleted(), "user_deleted", "用户账户已删除"),
        (ReleaseReason.user_suspended("欺诈"), "user_suspended", "账户已暂停：欺诈"),
        (ReleaseReason.quota_updated(5), "quota_updated", "配额已调整为 5 台设备"),
        (ReleaseReason.quota_exceeded(), "quota_exceeded", "设备配额超限，已自动释放"),
        (ReleaseReason.payment_failed(), "payment_failed", "多次支付失败，账户已暂停服务"),
        (
            OVERDUE(Decimal("150.5"), 7),
            "billing_overdue",
            "账户欠费 ¥150.50（7天），服务已暂停",
        ),
        (OVERDUE(Decimal(100), 1), "billing_overdue", "账户欠费 ¥100（1天），服务已暂停"),
    ],
)
def test_each_reason_has_its_code_and_text(why: ReleaseReason, code: str, text: str) -> None:
    assert (why.code, reason_text(why)) == (code, text)


def test_the_longest_reason_fits_its_column() -> None:
    longest = ReleaseReason.device_maintenance("x" * 300, 5_256_000)

    assert len(reason_text(longest)) <= 512
