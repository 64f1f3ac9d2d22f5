"""Every text a user reads: ``texts/<locale>.json``, which a translator edits without touching code.

Placeholders take a kind behind the colon: ``{amount:money}``, ``{used:duration}`` (seconds),
``{expires_at:time}`` (UTC), ``{devices:list}`` (the first ten names). A parameter is never read as
a template.
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

_TEXTS = Path(__file__).parent / "texts"
_LISTED: Final = 10


class Text(NamedTuple):
    """A rendered notification."""

    title: str
    message: str


def money(amount: Decimal) -> str:
    """Return ¥100 for whole amounts and ¥150.50 otherwise."""
    cents = amount.quantize(Decimal("0.01"))
    sign = "-" if cents < 0 else ""
    return f"{sign}¥{abs(cents):.0f}" if cents == cents.to_integral() else f"{sign}¥{abs(cents)}"


def notice(kind: str, locale: str, params: Mapping[str, Any]) -> Text:
    """Return title and message of a notification; an unknown locale falls back to zh-CN.

    Raises:
        KeyError: the catalogue has no such kind, or the text wants a parameter that is missing.
    """
    catalogue = _catalogue(locale)
    text = catalogue.texts["notice"][kind]
    return Text(catalogue.render(text["title"], params), catalogue.render(text["message"], params))


def reason(why: ReleaseReason, locale: str = DEFAULT_LOCALE) -> str:
    """Return the sentence that says why a device was released."""
    catalogue = _catalogue(locale)
    return catalogue.render(catalogue.texts["reason"][why.text], why.params)


class _Part(NamedTuple):
    """A piece of a template: some words, then perhaps a parameter and how it is written."""

    words: str
    name: str | None
    write: Callable[[Any], str]


class _Catalogue:
    """The texts of one locale and how its values are written."""

    def __init__(self, texts: dict[str, Any]) -> None:
        self.texts = texts
        self._writers: dict[str | None, Callable[[Any], str]] = {
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
            [words if name is None else words + write(params[name]) for words, name, write in parts]
        )

    def _parse(self, template: str) -> list[_Part]:
        parts = [
            _Part(words, name, self._writers[kind])
            for words, name, kind, _ in Formatter().parse(template)
        ]
        self._parsed[template] = parts
        return parts

    def _list(self, names: Sequence[str]) -> str:
        texts = self.texts["list"]
        shown: str = texts["separator"].join(names[:_LISTED])
        return shown + texts["more"] if len(names) > _LISTED else shown

    def _duration(self, seconds: int) -> str:
        hours, minutes = seconds // 3600, seconds // 60 % 60
        unit = "hours" if hours else "minutes" if minutes else "seconds"
        template: str = self.texts["duration"][unit]
        return template.format(hours=hours, minutes=minutes, seconds=seconds)


@cache
def _catalogue(locale: str) -> _Catalogue:
    file = _TEXTS / f"{locale}.json"
    if not file.is_file():
        return _catalogue(DEFAULT_LOCALE)
    return _Catalogue(json.loads(file.read_text("utf-8")))
