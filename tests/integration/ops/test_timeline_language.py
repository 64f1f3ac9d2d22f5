"""A timeline in Chinese: no text of ours is in English."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from scheduler.ids import uuid7
from scheduler.messaging.message import to_milliseconds
from tests.integration.console.deployment import Deployment
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.world import MINUTE, NOW, held, user, world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.store import Store

WAITED: Final = {
    "x-received-at": to_milliseconds(NOW - 2 * MINUTE),
    "x-first-failed-at": (NOW - 2 * MINUTE).isoformat(),
}
EXPECTED: Final = {
    "",
    "自 2026-03-01 11:58:00 起等待（暂存或被拦下）",
    "自 2026-03-01 11:58:00 起等待（失败 1 次）",
    "支付失败次数：1/3",
    "支付失败次数：2/3",
    "支付失败次数：3/3；用户 u1 的支付失败次数达到上限，释放全部设备（1）",
    "用户 u1 的支付失败次数已清零",
    "reason: Field required",  # of the contract
    "之前已有更新的事件生效",
    "多次支付失败，账户已暂停服务",
    "需要设备 60 分钟",
    "2026-03-01 12:00 至 2026-03-01 12:01 UTC",
    "等待发布：scheduler-ops outbox",
    "scheduler-ops dead-letters show --id m-1",
    "未连接，通知在收件箱中等待",
    "一天之内未能发送",
    "未能通过 邮件 送达：请以其他方式告知用户",
}


def told(found: dict[str, Any]) -> Iterator[str]:
    """Yield the texts of a timeline, without titles, ids and the number of a row."""
    for one in found["entries"]:
        if one["kind"] not in ("notification", "outgoing"):
            yield one["detail"]
        yield one["nextStep"]
        yield from (delivery["answer"] or "" for delivery in one["deliveries"])


def test_every_detail_is_in_the_language_of_the_reader(
    store: Store, database_url: str, broker_url: str
) -> None:
    store.seed(world(user("u1", locale="zh-CN"), held("d1", by="u1")))
    with Functions(database_url, broker_url) as functions:
        for attempt, event in enumerate(("user.activated", "user.quota_updated"), 0):
            more = {"x-attempt": attempt} if attempt else {}
            functions.handle(message(event, userId="u1", headers=WAITED | more))
        functions.handle(*(message("billing.payment_failed", userId="u1") for _ in range(3)))
        functions.handle(message("billing.recharged", userId="u1"))
        functions.handle(message("user.suspended", id="m-1", body=b'{"userId": "u1"}'))
        late = NOW - timedelta(days=1)
        functions.handle(message("user.quota_updated", id="m-2", at=late, userId="u1"))
    store.insert(
        "waiting",
        "id, user_id, minutes, min_cpu_cores, min_memory_mb, created_at, expires_at",
        [(uuid7(), "u1", 60, 2, 4096, NOW, NOW)],
    )
    store.insert(
        "reservations",
        "id, user_id, device_id, min_cpu_cores, min_memory_mb, starts_at, ends_at, created_at",
        [(uuid7(), "u1", "d1", 2, 4096, NOW, NOW + MINUTE, NOW)],
    )
    store.run(
        "UPDATE notification_deliveries SET status = 'skipped', attempts = 1,"
        " last_error = 'not connected; it waits in the inbox' WHERE channel = 'websocket'",
        "UPDATE notification_deliveries SET status = 'failed', attempts = 2,"
        " last_error = 'not sent within a day' WHERE channel = 'email'",
    )
    where = Deployment(database_url, broker_url)
    window = {"start": (NOW - MINUTE).isoformat(), "end": (NOW + MINUTE).isoformat()}
    about = {"kind": "user", "id": "u1", **window}

    chinese = where.call("timeline", about | {"language": "zh-CN"})
    english = where.call("timeline", about)
    followed = where.call("message", {"id": "m-2", "language": "zh-CN"})

    assert set(told(chinese)) == EXPECTED
    assert [one["detail"] for one in followed["received"]] == ["之前已有更新的事件生效"]
    assert [one for one in told(english) if re.search("[\u4e00-\u9fff]", one)] == []
