"""Each valid sample, run by ``sam local invoke``, changes the database as the contract says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sam.docker.stage import Notice

if TYPE_CHECKING:
    from tests.sam.docker.stage import Stage

DONE = {"success": 1}
EIGHT = tuple(f"device-{number:03}" for number in range(1, 9))


def test_device_failed_releases_the_device_with_the_reason(stage: Stage) -> None:
    stage.hold("device-001", "device-002")

    assert stage.invoke("device-failed") == DONE

    assert stage.row("status, health", "devices", "device-001") == ("available", "failed")
    assert stage.released() == {"device-001": "设备故障：Docker container crashed"}
    assert stage.held() == ["device-002"]
    (notice,) = stage.all_notices()
    assert (notice.type, notice.channels) == ("device_released", "websocket")
    assert "设备故障：Docker container crashed" in notice.message


def test_device_deleted_releases_the_device_for_good(stage: Stage) -> None:
    stage.hold("device-002")

    assert stage.invoke("device-deleted") == DONE

    assert stage.row("health", "devices", "device-002") == ("deleted",)
    assert stage.released() == {"device-002": "设备已删除"}


def test_device_status_changed_to_error_releases_the_device(stage: Stage) -> None:
    stage.hold("device-003")

    assert stage.invoke("device-status-changed") == DONE

    assert stage.row("status, health", "devices", "device-003") == ("available", "error")
    assert stage.released() == {"device-003": "设备状态变更：运行中 → 出错"}


def test_device_maintenance_releases_the_device_with_the_estimate(stage: Stage) -> None:
    stage.hold("device-004")

    assert stage.invoke("device-maintenance") == DONE

    assert stage.row("health", "devices", "device-004") == ("maintenance",)
    assert "设备维护：系统升级" in stage.released()["device-004"]
    assert "预计需要 30 分钟" in stage.released()["device-004"]


def test_device_created_puts_the_device_into_the_pool(stage: Stage) -> None:
    assert stage.invoke("device-created") == DONE

    columns = "name, status, health, cpu_cores, memory_mb, storage_mb"
    assert stage.row(columns, "devices", "device-021") == (
        *("Cloud phone 21", "available", "running"),
        *(4, 8192, 65536),
    )


def test_user_deleted_releases_everything_and_erases_the_contact(stage: Stage) -> None:
    stage.hold("device-001", "device-002", user="user-456")

    assert stage.invoke("user-deleted") == DONE

    assert stage.row("status, email, phone", "users", "user-456") == ("deleted", None, None)
    assert stage.released("user-456") == dict.fromkeys(
        ("device-001", "device-002"), "用户账户已删除"
    )


def test_user_suspended_releases_everything_and_notifies_for_each_device(stage: Stage) -> None:
    stage.hold("device-001", "device-002", "device-003")

    assert stage.invoke("user-suspended") == DONE

    assert stage.row("status", "users", "user-123") == ("suspended",)
    assert set(stage.released().values()) == {"账户已暂停：违反服务条款"}
    assert len(stage.released()) == len(stage.all_notices()) - len(stage.notices()) == 3
    assert [one[:2] for one in stage.notices()] == [("account_suspended", "websocket,email")]


def test_user_quota_updated_releases_the_oldest_three_of_eight(stage: Stage) -> None:
    stage.hold(*EIGHT)

    assert stage.invoke("user-quota-updated") == DONE

    assert stage.row("max_devices, max_cpu, max_memory_mb", "users", "user-123") == (5, 20, 40960)
    assert stage.released() == dict.fromkeys(EIGHT[:3], "配额已调整为 5 台设备")
    assert stage.held() == list(EIGHT[3:])
    assert [one[:2] for one in stage.notices()] == [("quota_adjusted", "websocket,email")]


def test_user_quota_exceeded_releases_the_oldest_until_one_is_left(stage: Stage) -> None:
    stage.hold(*EIGHT[:3])

    assert stage.invoke("user-quota-exceeded") == DONE

    assert stage.released() == dict.fromkeys(EIGHT[:2], "设备配额超限，已自动释放")
    assert stage.held() == [EIGHT[2]]
    assert [one.type for one in stage.notices()] == ["quota_adjusted"]


def test_user_activated_may_allocate_again(stage: Stage) -> None:
    stage.store.run("UPDATE users SET status = 'suspended' WHERE id = 'user-123'")

    assert stage.invoke("user-activated") == DONE

    assert stage.row("status", "users", "user-123") == ("active",)


def test_billing_payment_failed_is_counted_and_the_user_warned(stage: Stage) -> None:
    stage.hold("device-001")

    assert stage.invoke("billing-payment-failed") == DONE

    assert stage.failures() == 1
    assert stage.held() == ["device-001"]
    assert [one[:2] for one in stage.notices()] == [("billing_alert", "websocket,email")]


def test_billing_payment_failed_for_the_third_time_stops_the_service(stage: Stage) -> None:
    stage.hold("device-001")
    stage.count_failures(2)

    assert stage.invoke("billing-payment-failed") == DONE

    assert stage.failures() == 3
    assert stage.row("billing_hold", "users", "user-123") == (1,)
    assert stage.released() == {"device-001": "多次支付失败，账户已暂停服务"}
    assert [one[:2] for one in stage.notices()] == [("service_suspended", "websocket,email,sms")]


def test_billing_balance_low_only_notifies_the_user(stage: Stage) -> None:
    stage.hold("device-001")

    assert stage.invoke("billing-balance-low") == DONE

    assert stage.held() == ["device-001"]
    assert [one[:2] for one in stage.notices()] == [("billing_alert", "websocket,email")]


def test_billing_overdue_releases_everything_and_notifies_on_every_channel(stage: Stage) -> None:
    stage.hold("device-001", "device-002", "device-003")

    assert stage.invoke("billing-overdue") == DONE

    assert stage.row("billing_hold", "users", "user-123") == (1,)
    assert set(stage.released().values()) == {"账户欠费 ¥150.50（7天），服务已暂停"}
    assert len(stage.released()) == 3
    assert stage.notices() == [
        Notice(
            "billing_alert",
            "websocket,email,sms",
            "账户已欠费 ¥150.50（7天），所有设备已自动释放。",
        )
    ]


def test_billing_payment_success_forgets_failures_and_lifts_the_hold(stage: Stage) -> None:
    stage.count_failures(2)
    stage.store.run("UPDATE users SET billing_hold = 1 WHERE id = 'user-123'")

    assert stage.invoke("billing-payment-success") == DONE

    assert stage.failures() == 0
    assert stage.row("billing_hold", "users", "user-123") == (0,)
    assert stage.notices() == [
        Notice("billing_alert", "websocket", "支付 ¥100 成功，当前余额 ¥250。")
    ]


def test_billing_recharged_forgets_failures_and_lifts_the_hold(stage: Stage) -> None:
    stage.count_failures(2)
    stage.store.run("UPDATE users SET billing_hold = 1 WHERE id = 'user-123'")

    assert stage.invoke("billing-recharged") == DONE

    assert stage.failures() == 0
    assert stage.row("billing_hold", "users", "user-123") == (0,)
    assert stage.notices() == [
        Notice("billing_alert", "websocket", "充值 ¥200 成功，当前余额 ¥450。")
    ]


def test_a_sample_takes_effect_once(stage: Stage) -> None:
    stage.hold("device-001")

    assert stage.invoke("device-failed") == DONE
    stage.hold("device-001")
    assert stage.invoke("device-failed") == {"duplicate": 1}

    assert stage.held() == ["device-001"]
