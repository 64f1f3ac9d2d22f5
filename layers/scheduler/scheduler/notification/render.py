"""Renders a notice in the user's language: title, message and data."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic.alias_generators import to_camel

from scheduler.domain.model import Allocation
from scheduler.domain.reasons import ReleaseReason
from scheduler.json_text import json_text
from scheduler.notification import catalogue

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scheduler.domain.notices import Notice

_camel: Final = cache(to_camel)


class RenderedNotice(NamedTuple):
    """The columns of a stored notification; ``data`` is JSON for programs."""

    title: str
    message: str
    data: str


def render(notice: Notice, locale: str, time_zone: str | None = None) -> RenderedNotice:
    """Return a notice in a language; an unknown one falls back to zh-CN.

    Args:
        notice: what to render.
        locale: the user's language.
        time_zone: an IANA name; None, or a zone that does not exist, means that of the locale.
    """
    texts = {
        name: catalogue.reason_text(value, locale) if isinstance(value, ReleaseReason) else value
        for name, value in notice.params.items()
    }
    title, message = catalogue.notice_text(notice.kind.key, locale, texts, time_zone)
    return RenderedNotice(title, message, json_text(dict(_data(notice.params, texts))))


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
