"""The text catalogue: ``texts/<locale>.json`` holds every text that users read.

A placeholder may name a format, such as ``{amount:money}``: see `scheduler.notification.formats`.
Braces in a parameter's value are not interpreted.
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from functools import cache
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scheduler.domain.model import DEFAULT_LOCALE, LOCALES
from scheduler.notification import formats

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scheduler.domain.reasons import ReleaseReason

_FOLDER = Path(__file__).parent / "texts"
_FULL_STOPS: Final = ".。"
_OTHER_ENDS: Final = "!?！？…"
_BIDI_CONTROLS: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""With these, a name or a reason could show itself, and what follows it, in another order."""


class TimelineSection(StrEnum):
    """The sections with the texts of timelines."""

    SAID = "timeline"
    STORED = "stored"
    """What functions have stored in English."""


class NoticeText(NamedTuple):
    """Title and message of a notification."""

    title: str
    message: str


def notice_text(
    key: str, locale: str, params: Mapping[str, Any], time_zone: str | None = None
) -> NoticeText:
    """Return the text of a `NoticeKind` by its key; an unknown locale falls back to zh-CN.

    Args:
        key: of the kind.
        locale: the user's language.
        params: the values of the placeholders.
        time_zone: an IANA name; None, or a zone that does not exist, means that of the locale.

    Raises:
        KeyError: the catalogue has no such key, or a placeholder has no parameter.
    """
    texts = _texts(locale)
    text = texts["notice"][key]
    write = _Renderer(texts, params, time_zone).render
    return NoticeText(write(text["title"]), write(text["message"]))


def digest_text(locale: str, *, title: str, message: str, count: int) -> NoticeText:
    """Return the text of one message that stands for several; unknown locales fall back to zh-CN.

    Args:
        locale: the user's language.
        title: the title of the newest.
        message: its message.
        count: how many they are.
    """
    texts = _texts(locale)
    params = {"title": title, "message": message, "count": count, "count_of_others": count - 1}
    write = _Renderer(texts, params).render
    return NoticeText(write(texts["digest"]["title"]), write(texts["digest"]["message"]))


def reason_text(reason: ReleaseReason, locale: str = DEFAULT_LOCALE) -> str:
    """Return the text of a release reason; an unknown locale falls back to zh-CN.

    Raises:
        KeyError: the catalogue has no such text, or a placeholder has no parameter.
    """
    texts = _texts(locale)
    return _Renderer(texts, reason.params).render(texts["reason"][reason.text])


def timeline_text(
    section: TimelineSection, key: str, locale: str, params: Mapping[str, Any]
) -> str:
    """Return a text of a timeline; an unknown locale falls back to zh-CN.

    Raises:
        KeyError: the catalogue has no such text, or a placeholder has no parameter.
    """
    return _Renderer(_texts(locale), params).render(timeline_templates(section, locale)[key])


def timeline_templates(section: TimelineSection, locale: str) -> Mapping[str, str]:
    """Return the templates of a section, by their keys."""
    templates: dict[str, str] = _texts(locale)[section]
    return templates


class _Part(NamedTuple):
    """Literal text of a template, followed by a parameter unless ``name`` is None."""

    literal: str
    name: str | None
    format: str


class _Renderer:
    """Renders templates with the same parameters, for one user."""

    def __init__(
        self, texts: Mapping[str, Any], params: Mapping[str, Any], time_zone: str | None = None
    ) -> None:
        self._texts = texts
        self._params = params
        self._time_zone = time_zone

    def render(self, template: str) -> str:
        text = ""
        for literal, name, format_ in _parsed(template):
            text = _append(text, literal)
            if name is not None:
                text += _BIDI_CONTROLS.sub("", self._format(self._params[name], format_))
        return text

    def _format(self, value: Any, name: str) -> str:  # noqa: ANN401 - as the parameter is
        if name == "time":
            return formats.moment(value, self._texts["time"], self._time_zone)
        if name in formats.FORMATS:
            return formats.FORMATS[name](value, self._texts.get(name, {}))
        return formats.counted(value, self._texts["count"][name])


def _append(text: str, literal: str) -> str:
    """Append literal text; a value that ends a sentence gets no second full stop."""
    if text and literal[:1] in _FULL_STOPS and literal:
        text = text.rstrip(_FULL_STOPS)
        if text[-1:] in _OTHER_ENDS and text:
            return text + literal[1:]
    return text + literal


@cache
def _parsed(template: str) -> tuple[_Part, ...]:
    return tuple(
        _Part(literal, name, format_ or "text")
        for literal, name, format_, _ in Formatter().parse(template)
    )


@cache
def _texts(locale: str) -> dict[str, Any]:
    known = locale if locale in LOCALES else DEFAULT_LOCALE
    texts: dict[str, Any] = json.loads((_FOLDER / f"{known}.json").read_text("utf-8"))
    return texts
