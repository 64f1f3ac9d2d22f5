"""The texts of a timeline in the language of its reader."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from string import Formatter
from typing import Final

from scheduler.notification.catalogue import (
    TimelineSection,
    timeline_templates,
    timeline_text,
)

_WRITTEN_IN: Final = "en"
_BETWEEN: Final = "; "
"""Between the parts of a detail that a function has stored."""


@dataclass(frozen=True, slots=True)
class TimelineTexts:
    """The texts in one language."""

    locale: str

    def say(self, key: str, **params: object) -> str:
        """Return a text of the catalogue's section ``timeline``."""
        return timeline_text(TimelineSection.SAID, key, self.locale, params)

    def join(self, *parts: str) -> str:
        """Return the parts that are not empty, as one detail."""
        return self.say("separator").join(filter(None, parts))

    def translate(self, stored: str | None) -> str:
        """Return a detail that a function has stored in English.

        What is not of the catalogue's section ``stored``, such as an error of a provider, stays.
        """
        if not stored or self.locale == _WRITTEN_IN:
            return stored or ""
        whole = self._known(stored)
        return whole or self.join(*(self._known(one) or one for one in stored.split(_BETWEEN)))

    def _known(self, stored: str) -> str:
        for key, pattern in _patterns().items():
            if found := pattern.fullmatch(stored):
                return timeline_text(TimelineSection.STORED, key, self.locale, found.groupdict())
        return ""


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    templates = timeline_templates(TimelineSection.STORED, _WRITTEN_IN)
    return {key: re.compile(_pattern(template)) for key, template in templates.items()}


def _pattern(template: str) -> str:
    parts = Formatter().parse(template)
    return "".join(
        re.escape(literal) + (f"(?P<{name}>[^;]+)" if name else "") for literal, name, *_ in parts
    )
