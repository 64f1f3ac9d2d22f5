"""From a notice to what is stored and sent: title, message and data in the user's language."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic.alias_generators import to_camel

from scheduler.domain.model import Allocation
from scheduler.domain.reasons import ReleaseReason
from scheduler.notification import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scheduler.domain.work import Notice


class Rendered(NamedTuple):
    """A notification as stored; ``data`` is JSON."""

    title: str
    message: str
    data: str


def render(notice: Notice, locale: str) -> Rendered:
    """Write a notice in a locale."""
    texts = {
        name: catalogue.reason(value, locale) if isinstance(value, ReleaseReason) else value
        for name, value in notice.params.items()
    }
    title, message = catalogue.notice(notice.kind.key, locale, texts)
    data = dict(_data(notice.params, locale))
    return Rendered(title, message, json.dumps(data, ensure_ascii=False))


def _data(params: Mapping[str, Any], locale: str) -> Iterator[tuple[str, Any]]:
    for name, value in params.items():
        match value:
            case Allocation():
                yield "allocationId", value.id
                yield "deviceId", value.device_id
            case ReleaseReason():
                yield "reasonCode", value.code
                yield "reason", catalogue.reason(value, locale)
            case Decimal():
                yield to_camel(name), float(value)
            case datetime():
                yield to_camel(name), value.isoformat()
            case _:
                yield to_camel(name), value
