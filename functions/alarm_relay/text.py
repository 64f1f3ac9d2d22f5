"""The text of an alarm for people, in English or Chinese."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from datetime import datetime

    from alarm_relay.alarm import Alarm

CHINESE: Final = "zh-CN"
SECTIONS: Final = {
    "database-away": "数据库不可用",
    "broker-away": "Broker 不可用",
    "dispatcher-away": "分发函数停止",
    "dead-letters": "死信",
    "canary": "金丝雀",
    "queue-without-progress": "队列没有进展",
    "stranded-messages": "滞留的消息",
    "oldest-pending-notification": "最早的待发通知",
    "late-notifications": "迟到的通知",
    "failed-notifications": "发送失败的通知",
    "bounced-e-mails": "退回的邮件",
    "text-messages": "短信",
    "oldest-unpublished-event": "最早的未发布事件",
    "reconciler-findings": "对账发现的问题",
    "mass-failure-brake": "大规模故障制动",
    "housekeeping-job-failing": "定时任务失败",
    "housekeeping-stopped": "定时任务停止",
    "function-errors": "函数错误",
    "informational-event-failing": "信息类事件失败",
    "api-errors": "API 错误",
    "function-throttles": "函数限流",
    "function-duration": "函数耗时",
    "broker-memory": "Broker 内存",
    "broker-disk": "Broker 磁盘",
    "broker-connections": "Broker 连接",
    "database-connections": "数据库连接",
    "database-storage": "数据库存储",
}
"""The Chinese heading of each runbook."""


class ChatMessage(NamedTuple):
    """A message for a chat; ``link`` is empty if the runbook's address is unknown."""

    title: str
    lines: list[str]
    link: str
    link_text: str


class _Words(NamedTuple):
    alarm: str
    over: str
    reason: str
    since: str
    runbook: str
    zone: ZoneInfo
    zone_name: str


_WORDS: Final = {
    "en": _Words("ALARM", "OK", "Reason: ", "At: ", "Runbook", ZoneInfo("UTC"), "UTC"),
    CHINESE: _Words(
        *("告警", "已恢复", "原因：", "时间：", "处理手册"),
        *(ZoneInfo("Asia/Shanghai"), "北京时间"),
    ),
}


def chat_message(alarm: Alarm, language: str) -> ChatMessage:
    """Return the message in a language; CloudWatch's own reason is always English."""
    words = _WORDS[language]
    title = alarm.summary
    if language == CHINESE and alarm.section in SECTIONS:
        title = SECTIONS[alarm.section]
    state = words.over if alarm.is_over else words.alarm if alarm.state else alarm.name
    lines = [alarm.summary] if title != alarm.summary else []
    lines += [f"{words.reason}{alarm.reason}"] if alarm.reason and not alarm.is_over else []
    lines += [f"{words.since}{_shown(alarm.at, words)}"] if alarm.at else []
    lines += [alarm.name] if alarm.state else []
    return ChatMessage(f"[{state}] {title}", lines, _link(alarm, language), words.runbook)


def _shown(at: datetime, words: _Words) -> str:
    return f"{at.astimezone(words.zone):%Y-%m-%d %H:%M} {words.zone_name}"


def _link(alarm: Alarm, language: str) -> str:
    if language == CHINESE and alarm.section in SECTIONS:
        docs = alarm.docs.replace("docs/runbooks.md", "docs/zh-CN/runbooks.md")
        heading = SECTIONS[alarm.section].lower().replace(" ", "-")
        return f"{docs}#{quote(heading) if '://' in docs else heading}"
    return f"{alarm.docs}#{alarm.section}" if alarm.docs else ""
