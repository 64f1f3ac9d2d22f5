"""How values appear in the texts that users read: money, times, durations, numbers of things.

Babel would do this, but it has 36 MB while the whole layer may have 25, and importing it takes as
long as everything else that an event function imports (docs/decisions.md).
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime, timedelta, tzinfo

_MAX_LISTED: Final = 10
_UNITS: Final = (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1))
_CENT: Final = Decimal("0.01")


def text(value: object, texts: Mapping[str, Any]) -> str:
    """Return a text as it is; for an empty one, that it was not given."""
    return str(value) or str(texts["absent"])


def word(value: str, texts: Mapping[str, str]) -> str:
    """Return the translation of a word that another service chose; unknown words stay."""
    return texts.get(_normalized(value)) or value or texts[""]


def money(amount: Decimal | str, _texts: Mapping[str, Any]) -> str:
    """Return an amount in yuan, with two decimals unless it is whole: ¥100, ¥1,234.50."""
    cents = Decimal(amount).quantize(_CENT)
    sign = "-" if cents < 0 else ""
    decimals = 0 if cents == cents.to_integral() else 2
    return f"{sign}¥{abs(cents):,.{decimals}f}"


def names(listed: Sequence[str], texts: Mapping[str, Any]) -> str:
    """Return the first ten names, and how many more there are."""
    text_: str = texts["separator"].join(listed[:_MAX_LISTED])
    more = len(listed) - _MAX_LISTED
    return text_ + counted(more, texts["more"]) if more > 0 else text_


def duration(seconds: int, texts: Mapping[str, Any]) -> str:
    """Return a duration in its largest unit and the next smaller one, rounded down."""
    for place, (name, size) in enumerate(_UNITS):
        if seconds >= size:
            parts = [counted(seconds // size, texts[name])]
            for smaller, small_size in _UNITS[place + 1 : place + 2]:
                if rest := seconds % size // small_size:
                    parts.append(counted(rest, texts[smaller]))
            return " ".join(parts)
    return counted(0, texts["seconds"])


def moment(value: datetime, texts: Mapping[str, Any], zone: str | None) -> str:
    """Return a time to the minute as the clocks of a zone show it.

    The zone is named unless it is the one in which the readers of the language live.

    Args:
        value: an aware time.
        texts: how to write it, and the ``zone`` of the language.
        zone: an IANA name; None, or a name that does not exist, means that of the language.
    """
    usual = value.astimezone(ZoneInfo(texts["zone"]))
    local = value.astimezone(_zone(zone, usual.tzinfo)) if zone else usual
    shown: str = texts["moment"].format(
        year=local.year,
        month=texts["months"][local.month - 1],
        day=local.day,
        clock=f"{local:%H:%M}",
    )
    if texts["zone_is_understood"] and local.utcoffset() == usual.utcoffset():
        return shown
    return shown + str(texts["named_zone"]).format(zone=_offset_name(local.utcoffset()))


def counted(number: int, phrases: Mapping[str, str]) -> str:
    """Return the phrase for a number of things: ``zero`` and ``one`` where given, or ``other``."""
    category = {0: "zero", 1: "one"}.get(number, "other")
    return phrases.get(category, phrases["other"]).format(n=f"{number:,}")


FORMATS: Final[Mapping[str, Callable[[Any, Any], str]]] = {
    "text": text,
    "state": word,
    "maintenance": word,
    "money": money,
    "names": names,
    "duration": duration,
}
"""By name; each gets the value and the texts of that name in the catalogue."""


def _normalized(value: str) -> str:
    return value.strip().casefold().replace("_", " ").replace("-", " ")


def _offset_name(offset: timedelta | None) -> str:
    minutes = int(offset.total_seconds()) // 60 if offset else 0
    if not minutes:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02}" if rest else "")


def _zone(name: str, usual: tzinfo | None) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # removed from the time zone database
        return usual
