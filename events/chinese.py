"""The generated tables of docs/zh-CN/events.md."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from events.contracts.documented import documented_events
from events.contracts.produced import EXAMPLES
from events.repairs import REFUSALS, REPAIRS, refusal, repaired, shown
from operations.event_bodies import fields

if TYPE_CHECKING:
    from collections.abc import Iterator

_IN_EVERY_EVENT: Final = {"eventId", "version"}
_PRODUCED: Final = {
    "device.allocated": "设备已分配给用户",
    "device.released": "设备已释放；只要正常，就可以再次分配",
    "device.extended": "使用时间已延长，`expiresAt` 是新的到期时间",
}


def table_of_events() -> Iterator[str]:
    """Yield the lines of the table of events."""
    yield "| 路由键 | 最小消息体 | 可选字段 | |"
    yield "|---|---|---|---|"
    for event in documented_events():
        optional = ", ".join(
            f"`{field.path}`"
            for field in fields(event.type)
            if not field.required and field.path not in _IN_EVERY_EVENT
        )
        kind = "关键" if event.contract.critical else "通知类"
        body = json.dumps(event.smallest, ensure_ascii=False)
        yield f"| `{event.type}` | `{body}` | {optional} | {kind} |"


def table_of_repairs() -> Iterator[str]:
    """Yield the lines of the table of what is repaired; the examples explain themselves."""
    yield "| 示例 | 视为 |"
    yield "|---|---|"
    for case in REPAIRS:
        yield f"| `{shown(case.body)}` | `{case.field}`: `{repaired(case)}` |"


def table_of_refusals() -> Iterator[str]:
    """Yield the lines of the table of what is refused."""
    yield "| 示例 | `x-error` 的内容 |"
    yield "|---|---|"
    for case in REFUSALS:
        yield f"| `{shown(case.body)}` | {refusal(case)} |"


def table_of_produced_events() -> Iterator[str]:
    """Yield the lines of the table of the events that the scheduler publishes.

    Raises:
        KeyError: an event has no meaning in Chinese; add one to `_PRODUCED`.
    """
    yield "| 路由键 | 示例 | |"
    yield "|---|---|---|"
    for event_type, body in EXAMPLES.items():
        yield f"| `{event_type}` | `{json.dumps(body)}` | {_PRODUCED[event_type]} |"
