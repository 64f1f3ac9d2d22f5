"""From a notice to what is stored and sent: title, message and data in the user's language."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic.alias_generators import to_camel

from scheduler.domain.model import Allocation
from scheduler.domain.reasons import ReleaseReason
from scheduler.notification import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scheduler.domain.notices import Notice

_camel: Final = cache(to_camel)
_encode: Final = json.JSONEncoder(ensure_ascii=False).encode


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
    return Rendered(title, message, _encode(dict(_data(notice.params, texts))))


def _data(params: Mapping[str, Any], texts: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in params.items():
        match value:
            case Allocation():
                yield "allocationId", value.id
                yield "deviceId", value.device_id
            case ReleaseReason():
                yield "reasonCode", value.code
                yield "reason", texts[name]
            case Decimal():
                yield _camel(name), float(value)
            case datetime():
                yield _camel(name), value.isoformat()
            case _:
                yield _camel(name), value
