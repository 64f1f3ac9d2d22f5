"""Finds changes of contracts that break programs which follow the released ones.

A publisher must be able to keep publishing what it published, so a consumed event may only become
more tolerant. A subscriber must be able to keep reading, so a published event may only get more
fields and narrower values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Schema = Mapping[str, Any]

_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength")
_LOWER: Final = ("minimum", "minLength")


def breaking_changes(
    released: Mapping[str, Mapping[str, Schema]], current: Mapping[str, Mapping[str, Schema]]
) -> list[str]:
    """Return a sentence for each change that breaks a program.

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


def _removed(released: Mapping[str, Schema], current: Mapping[str, Schema]) -> Iterator[str]:
    return (f"{name} was removed" for name in released if name not in current)


def _stricter(wide: Schema, narrow: Schema, path: str, *, swapped: bool = False) -> Iterator[str]:
    """Yield why ``narrow`` might refuse a value that ``wide`` accepts.

    ``swapped`` says that ``narrow`` is the released schema, for the wording.
    """
    for name in narrow.get("required", ()):
        if name not in wide.get("required", ()):
            verb = "is no longer always there" if swapped else "became required"
            yield f"{path}.{name} {verb}"
    if missing := _types(wide) - _types(narrow):
        yield f"{path} {'may now be' if swapped else 'may no longer be'} {', '.join(missing)}"
    if values := set(wide.get("enum", ())) - set(narrow.get("enum", wide.get("enum", ()))):
        yield f"{path} {'has new values' if swapped else 'lost values'}: {', '.join(values)}"
    if "enum" in narrow and "enum" not in wide:
        yield f"{path} {'may be any value' if swapped else 'is limited to some values'} now"
    yield from _limits(wide, narrow, path)
    for name, property_ in narrow.get("properties", {}).items():
        if name in wide.get("properties", {}):
            inner = wide["properties"][name]
            yield from _stricter(inner, property_, f"{path}.{name}", swapped=swapped)


def _limits(wide: Schema, narrow: Schema, path: str) -> Iterator[str]:
    for keyword in _UPPER:
        if keyword in narrow and narrow[keyword] < wide.get(keyword, float("inf")):
            yield f"{path}: {keyword} is {narrow[keyword]}, was {wide.get(keyword, 'unlimited')}"
    for keyword in _LOWER:
        if keyword in narrow and narrow[keyword] > wide.get(keyword, float("-inf")):
            yield f"{path}: {keyword} is {narrow[keyword]}, was {wide.get(keyword, 'unlimited')}"
    if narrow.get("pattern") not in (None, wide.get("pattern")):
        yield f"{path}: the pattern changed"


def _types(schema: Schema) -> set[str]:
    """Return the JSON types that a schema accepts; of a union, those of all variants."""
    if "anyOf" in schema:
        return {type_ for one in schema["anyOf"] for type_ in _types(one)}
    types = schema.get("type", ("any",))
    found = {types} if isinstance(types, str) else set(types)
    return found | {"integer"} if "number" in found else found
