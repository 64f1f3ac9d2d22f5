"""Finds changes of contracts that break programs which follow the released ones.

A publisher must be able to keep publishing what it published, so a consumed event may only become
more tolerant. A subscriber must be able to keep reading, so a published event may only get more
fields and narrower values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Schema = Mapping[str, Any]

_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength")
_LOWER: Final = ("minimum", "minLength")


class BreakingChange(NamedTuple):
    """A change that breaks a program: of what, such as ``device.failed.deviceId``, and how."""

    where: str
    change: str


def breaking_changes(
    released: Mapping[str, Mapping[str, Schema]], current: Mapping[str, Mapping[str, Schema]]
) -> list[BreakingChange]:
    """Return each change that breaks a program.

    Args:
        released: the schemas of the last release by event type, under ``consumed`` and
            ``produced``.
        current: likewise, of this version.
    """
    return [
        *_removed(released["consumed"], current["consumed"]),
        *_removed(released["produced"], current["produced"]),
        *(
            change
            for name, old in released["consumed"].items()
            if name in current["consumed"]
            for change in _stricter(old, current["consumed"][name], name)
        ),
        *(
            change
            for name, old in released["produced"].items()
            if name in current["produced"]
            # What the subscribers' schema accepts must cover what is published now.
            for change in _stricter(current["produced"][name], old, name, swapped=True)
        ),
    ]


def _removed(
    released: Mapping[str, Schema], current: Mapping[str, Schema]
) -> Iterator[BreakingChange]:
    return (BreakingChange(name, "was removed") for name in released if name not in current)


def _stricter(
    wide: Schema, narrow: Schema, path: str, *, swapped: bool = False
) -> Iterator[BreakingChange]:
    """Yield why ``narrow`` might refuse a value that ``wide`` accepts.

    ``swapped`` says that ``narrow`` is the released schema, for the wording.
    """
    for name in narrow.get("required", ()):
        if name not in wide.get("required", ()):
            change = "is no longer always there" if swapped else "became required"
            yield BreakingChange(f"{path}.{name}", change)
    if missing := ", ".join(sorted(_types(wide) - _types(narrow))):
        change = "may now be" if swapped else "may no longer be"
        yield BreakingChange(path, f"{change} {missing}")
    if values := set(wide.get("enum", ())) - set(narrow.get("enum", wide.get("enum", ()))):
        change = "has new values" if swapped else "lost values"
        yield BreakingChange(path, f"{change}: {', '.join(sorted(values))}")
    if "enum" in narrow and "enum" not in wide:
        change = "may be any value now" if swapped else "is limited to some values now"
        yield BreakingChange(path, change)
    yield from (BreakingChange(path, change) for change in _limits(wide, narrow, swapped=swapped))
    for name, property_ in narrow.get("properties", {}).items():
        if name in wide.get("properties", {}):
            inner = wide["properties"][name]
            yield from _stricter(inner, property_, f"{path}.{name}", swapped=swapped)


def _limits(wide: Schema, narrow: Schema, *, swapped: bool) -> Iterator[str]:
    released, current = (narrow, wide) if swapped else (wide, narrow)
    stricter = (
        *(one for one in _UPPER if one in narrow and narrow[one] < wide.get(one, float("inf"))),
        *(one for one in _LOWER if one in narrow and narrow[one] > wide.get(one, float("-inf"))),
        *(one for one in ("pattern",) if narrow.get(one) not in (None, wide.get(one))),
    )
    for keyword in stricter:
        now, before = (one.get(keyword, "unlimited") for one in (current, released))
        yield f"{keyword} is {now}, was {before}"


def _types(schema: Schema) -> set[str]:
    """Return the JSON types that a schema accepts; of a union, those of all variants."""
    if "anyOf" in schema:
        return {type_ for one in schema["anyOf"] for type_ in _types(one)}
    types = schema.get("type", ("any",))
    found = {types} if isinstance(types, str) else set(types)
    return found | {"integer"} if "number" in found else found
