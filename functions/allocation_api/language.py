"""The language of a response: that of ``Accept-Language``, else that of the user concerned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scheduler.domain.model import LOCALES

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOCALES: Final = {locale.partition("-")[0]: locale for locale in LOCALES}
"""By language without region: texts exist once for each language."""


def requested_language(headers: Mapping[str, str]) -> str | None:
    """Return the locale that a caller prefers; None if they name no language that has texts.

    See RFC 9110, 12.5.4, for the header.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    ranges = lower.get("accept-language", "").split(",")
    weighted = [
        (_weight(parameters), tag) for tag, *parameters in (one.split(";") for one in ranges)
    ]
    for weight, tag in sorted(weighted, key=lambda one: -one[0]):  # stable: the first of equals
        locale = _LOCALES.get(tag.strip().lower().partition("-")[0])
        if locale and weight > 0:
            return locale
    return None


def _weight(parameters: list[str]) -> float:
    try:
        return float(parameters[0].strip().removeprefix("q=")) if parameters else 1.0
    except ValueError:
        return 0.0
