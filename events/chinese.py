"""The generated tables of docs/zh-CN/events.md."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from events.contracts.documented import documented_events
from events.contracts.produced import EXAMPLES
from events.repairs import REFUSALS, REPAIRS, refusal, repaired, shown
from operations.event_bodies import fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_IN_EVERY_EVENT: Final = {"eventId", "version"}
_PRODUCED: Final = {
    "device.allocated": "设备已分配给用户",
    "device.released": "设备已释放；只要正常，就可以再次分配",
    "device.extended": "使用时间已延长，`expiresAt` 是新的到期时间",
}
_REPAIRED: Final = {
    "half an emoji, as JavaScript's `slice` leaves it": (
        "半个 emoji，JavaScript 的 `slice` 会这样截断"
    ),
    "bytes that are not UTF-8": "不是 UTF-8 的字节",
    "a byte order mark": "字节顺序标记（BOM）",
    "control characters in a text, escaped or not": "文本中的控制字符，无论是否转义",
    "a status in another case": "状态的大小写不同",
    "a status that has no meaning here: the device leaves the pool, its holder keeps it": (
        "这里没有含义的状态：设备离开设备池，持有者保留设备"
    ),
    "a quota type in another case": "配额类型的大小写不同",
    "no time: the AMQP timestamp, else the first receipt": (
        "没有时间：取 AMQP 时间戳，再缺省取首次收到的时间"
    ),
    "a time more than 5 minutes ahead, here 8 hours: the first receipt": (
        "时间超前 5 分钟以上，这里是 8 小时：取首次收到的时间"
    ),
    "a time as PostgreSQL writes it": "PostgreSQL 格式的时间",
    "a number as text": "写成文本的数字",
    "parts of a cent, as sums of floats have": "不足一分的尾数，浮点数相加时会出现",
    "the field names of the original device service": "原设备服务的字段名",
    "the envelope `{eventId, eventType, payload}`; its `version` is ignored": (
        "信封 `{eventId, eventType, payload}`，其 `version` 忽略"
    ),
    "an envelope that repeats the `deviceId` or `userId`": "信封里重复了 `deviceId` 或 `userId`",
    "the envelope `{pattern, data}` of NestJS microservices": (
        "NestJS 微服务的信封 `{pattern, data}`"
    ),
    "CloudEvents 1.0, structured: `source`, `id` and `time` count": (
        "CloudEvents 1.0 结构化模式：采用 `source`、`id` 和 `time`"
    ),
}
_REFUSED: Final = {
    "JSON that was cut off": "被截断的 JSON",
    "NaN, as Python writes it": "Python 写出的 NaN",
    "an encoding other than UTF-8": "UTF-8 以外的编码",
    "a compressed body": "压缩过的消息体",
    "no object": "不是对象",
    "a missing field": "缺少字段",
    "a misspelled field": "字段名拼错",
    "an envelope with the event as text": "信封里的事件是文本",
    "an envelope about another user than its event": "信封与事件的用户不同",
    "a name twice, with different values": "同一个字段出现两次，值不同",
    "another type": "类型不对",
    "an empty id": "ID 为空",
    "an id that is too long": "ID 过长",
    "an id with control characters or outer blanks": "ID 含控制字符，或首尾有空白",
    "an id that a URL path cannot contain": "ID 含 URL 路径中不能出现的字符",
    "an id that means a step in a URL path": "ID 在 URL 路径中表示当前或上级目录",
    "an id whose text is damaged": "ID 的文字已损坏",
    "a time without a zone": "时间没有时区",
    "a time in another format": "时间的格式不对",
    "a time before 2000": "时间早于 2000 年",
    "a version that is not an integer": "`version` 不是整数",
    "an amount that is not a plain decimal": "金额不是普通的十进制数",
    "a negative amount": "金额为负",
    "true or false as a number": "用 true 或 false 表示数字",
    "an unknown type of quota": "未知的配额类型",
    "a size that is not a number": "规格不是数字",
    "a quota below 0": "配额小于 0",
    "a port that does not exist": "端口不存在",
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
        kind = "关键" if event.contract.critical else "信息类"
        body = json.dumps(event.smallest, ensure_ascii=False)
        yield f"| `{event.type}` | `{body}` | {optional} | {kind} |"


def table_of_repairs() -> Iterator[str]:
    """Yield the lines of the table of what is accepted and repaired."""
    _require_translations((case.what for case in REPAIRS), _REPAIRED)
    yield "| 不寻常之处 | 示例 | 视为 |"
    yield "|---|---|---|"
    for case in REPAIRS:
        what = _REPAIRED[case.what]
        yield f"| {what} | `{shown(case.body)}` | `{case.field}`: `{repaired(case)}` |"


def table_of_refusals() -> Iterator[str]:
    """Yield the lines of the table of what is refused."""
    _require_translations((case.what for case in REFUSALS), _REFUSED)
    yield "| 错误 | 示例 | `x-error` 的内容 |"
    yield "|---|---|---|"
    for case in REFUSALS:
        yield f"| {_REFUSED[case.what]} | `{shown(case.body)}` | {refusal(case)} |"


def table_of_produced_events() -> Iterator[str]:
    """Yield the lines of the table of the events that the scheduler publishes."""
    _require_translations(EXAMPLES, _PRODUCED)
    yield "| 路由键 | 示例 | |"
    yield "|---|---|---|"
    for event_type, body in EXAMPLES.items():
        yield f"| `{event_type}` | `{json.dumps(body)}` | {_PRODUCED[event_type]} |"


def _require_translations(texts: Iterable[str], chinese: Mapping[str, str]) -> None:
    """Raise a LookupError unless exactly these texts are translated."""
    if wrong := sorted(set(texts) ^ chinese.keys()):
        raise LookupError(f"add to events/chinese.py, or remove from it: {', '.join(wrong)}")
