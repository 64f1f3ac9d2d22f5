"""The text catalogue: ``texts/<locale>.json`` holds every text that users read.

A placeholder may name a format: ``{amount:money}``, ``{used:duration}`` (of seconds),
``{expires_at:time}`` (in UTC), ``{devices:list}`` (the first ten names). Braces in a parameter's
value are not interpreted.
"""

from __future__ import annotations

import json
from decimal import Decimal
from functools import cache
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scheduler.domain.model import DEFAULT_LOCALE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scheduler.domain.reasons import ReleaseReason

_FOLDER = Path(__file__).parent / "texts"
_MAX_LISTED: Final = 10


class NoticeText(NamedTuple):
    """Title and message of a notification."""

    title: str
    message: str


def money(amount: Decimal) -> str:
    """Return an amount in yuan, with two decimals unless it is whole: ¥100, ¥150.50."""
    cents = amount.quantize(Decimal("0.01"))
    sign = "-" if cents < 0 else ""
    return f"{sign}¥{abs(cents):.0f}" if cents == cents.to_integral() else f"{sign}¥{abs(cents)}"


def notice_text(key: str, locale: str, params: Mapping[str, Any]) -> NoticeText:
    """Return the text of a `NoticeKind` by its key; an unknown locale falls back to zh-CN.

    Raises:
        KeyError: the catalogue has no such key, or a placeholder has no parameter.
    """
    catalogue = _catalogue(locale)
    text = catalogue.texts["notice"][key]
    return NoticeText(
        catalogue.render(text["title"], params), catalogue.render(text["message"], params)
    )


def reason_text(reason: ReleaseReason, locale: str = DEFAULT_LOCALE) -> str:
    """Return the text of a release reason; an unknown locale falls back to zh-CN."""
    catalogue = _catalogue(locale)
    return catalogue.render(catalogue.texts["reason"][reason.text], reason.params)


class _Part(NamedTuple):
    """Literal text of a template, followed by a parameter unless ``name`` is None."""

    literal: str
    name: str | None
    write: Callable[[Any], str]


class _Catalogue:
    """The texts of one locale, and the formats of its placeholders."""

    def __init__(self, texts: dict[str, Any]) -> None:
        self.texts = texts
        self._formats: dict[str | None, Callable[[Any], str]] = {
            None: str,
            "": str,
            "money": money,
            "duration": self._duration,
            "list": self._list,
            "time": lambda moment: f"{moment:%Y-%m-%d %H:%M} UTC",
        }
        self._parsed: dict[str, list[_Part]] = {}

    def render(self, template: str, params: Mapping[str, Any]) -> str:
        parts = self._parsed.get(template) or self._parse(template)
        return "".join(
            [
                literal if name is None else literal + write(params[name])
                for literal, name, write in parts
            ]
        )

    def _parse(self, template: str) -> list[_Part]:
        parts = [
            _Part(literal, name, self._formats[format_])
            for literal, name, format_, _ in Formatter().parse(template)
        ]
        self._parsed[template] = parts
        return parts

    def _list(self, names: Sequence[str]) -> str:
        texts = self.texts["list"]
        listed: str = texts["separator"].join(names[:_MAX_LISTED])
        return listed + texts["more"] if len(names) > _MAX_LISTED else listed

    def _duration(self, seconds: int) -> str:
        hours, minutes = seconds // 3600, seconds // 60 % 60
        unit = "hours" if hours else "minutes" if minutes else "seconds"
        template: str = self.texts["duration"][unit]
        return template.format(hours=hours, minutes=minutes, seconds=seconds)


@cache
def _catalogue(locale: str) -> _Catalogue:
    file = _FOLDER / f"{locale}.json"
    if not file.is_file():
        return _catalogue(DEFAULT_LOCALE)
    return _Catalogue(json.loads(file.read_text("utf-8")))
