"""Finds changes of contracts that break programs which follow the released ones.

A publisher must be able to keep publishing what it published, so a consumed event may only become
more tolerant. A subscriber must be able to keep reading, so a published event may only get more
fields and narrower values. What exists on the broker stays as it is; more may be added.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Schema = Mapping[str, Any]

_UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength")
_LOWER: Final = ("minimum", "minLength")
_STRUCTURE: Final = ("type", "anyOf", "enum", "properties", "required", "additionalProperties")


class BreakingChange(NamedTuple):
    """A change that breaks programs: what changed, such as ``device.failed.deviceId``, and how."""

    where: str
    change: str


def breaking_changes(
    released: Mapping[str, Mapping[str, Any]], current: Mapping[str, Mapping[str, Any]]
) -> list[BreakingChange]:
    """Return each change that breaks a program.

    Args:
        released: the contracts of the last release: the schemas of bodies by event type, and of
            headers, under ``consumed`` and ``produced``, and what exists on the broker under
            ``broker``, by kind and name.
        current: likewise, of this version.
    """
    found = (
        *_of_each(released["consumed"], current["consumed"], _stricter_consumed),
        *_of_each(released["produced"], current["produced"], _stricter_produced),
        *_of_each(released["broker"], current["broker"], _altered_kind),
    )
    return list(dict.fromkeys(found))


def _of_each(
    released: Mapping[str, Any],
    current: Mapping[str, Any],
    compare: Callable[[Any, Any, str], Iterator[BreakingChange]],
    path: str = "",
) -> Iterator[BreakingChange]:
    for name, old in released.items():
        if name in current:
            yield from compare(old, current[name], path + name)
        else:
            yield BreakingChange(path + name, "was removed")


def _altered_kind(
    released: Mapping[str, Any], current: Mapping[str, Any], kind: str
) -> Iterator[BreakingChange]:
    return _of_each(released, current, _altered, f"{kind} ")


def _altered(
    released: Mapping[str, Any], current: Mapping[str, Any], path: str
) -> Iterator[BreakingChange]:
    """Yield each difference, including what was added: a broker refuses another argument."""
    for name in {**released, **current}:
        old, new = released.get(name), current.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _altered(old, new, f"{path}.{name}")
        elif old != new:
            yield BreakingChange(f"{path}.{name}", f"is {new}, was {old}")


def _stricter_consumed(released: Schema, current: Schema, path: str) -> Iterator[BreakingChange]:
    return _stricter(released, current, path)


def _stricter_produced(released: Schema, current: Schema, path: str) -> Iterator[BreakingChange]:
    # What the subscribers' schema accepts must cover what is published now.
    return _stricter(current, released, path, swapped=True)


def _stricter(
    wide: Schema, narrow: Schema, path: str, *, swapped: bool = False
) -> Iterator[BreakingChange]:
    """Yield why ``narrow`` might refuse a value that ``wide`` accepts.

    ``swapped`` says that ``narrow`` is the released schema, for the wording.
    """
    wide_types, narrow_types = _by_type(wide), _by_type(narrow)
    missing = ", ".join(sorted(wide_types.keys() - narrow_types.keys()))
    if missing and "any" not in narrow_types:
        change = "may now be" if swapped else "may no longer be"
        yield BreakingChange(path, f"{change} {missing}")
    for type_ in sorted(wide_types.keys() & narrow_types.keys()):
        of_type = wide_types[type_], narrow_types[type_]
        yield from _fields(*of_type, path, swapped=swapped)
        for change in (*_values(*of_type, swapped=swapped), *_limits(*of_type, swapped=swapped)):
            yield BreakingChange(path, change)


def _fields(wide: Schema, narrow: Schema, path: str, *, swapped: bool) -> Iterator[BreakingChange]:
    inner, narrow_inner = wide.get("properties", {}), narrow.get("properties", {})
    released, current = (narrow_inner, inner) if swapped else (inner, narrow_inner)
    gone = released.keys() - current.keys()
    yield from (BreakingChange(f"{path}.{name}", "was removed") for name in sorted(gone))
    for name in sorted(set(narrow.get("required", ())) - set(wide.get("required", ())) - gone):
        change = "is no longer always there" if swapped else "became required"
        yield BreakingChange(f"{path}.{name}", change)
    for name in sorted(inner.keys() & narrow_inner.keys()):
        yield from _stricter(inner[name], narrow_inner[name], f"{path}.{name}", swapped=swapped)


def _values(wide: Schema, narrow: Schema, *, swapped: bool) -> Iterator[str]:
    if values := set(wide.get("enum", ())) - set(narrow.get("enum", wide.get("enum", ()))):
        change = "has new values" if swapped else "lost values"
        yield f"{change}: {', '.join(sorted(values))}"
    if "enum" in narrow and "enum" not in wide:
        yield "may be any value now" if swapped else "is limited to some values now"
    more = "additionalProperties"
    if narrow.get(more, True) not in (True, wide.get(more, True)):
        yield "may have unknown fields now" if swapped else "must not have unknown fields now"


def _limits(wide: Schema, narrow: Schema, *, swapped: bool) -> Iterator[str]:
    """Compare the other keywords; any change of an unknown keyword counts as stricter."""
    released, current = (narrow, wide) if swapped else (wide, narrow)
    exact = narrow.keys() - {*_UPPER, *_LOWER, *_STRUCTURE}
    stricter = (
        *(one for one in _UPPER if one in narrow and narrow[one] < wide.get(one, float("inf"))),
        *(one for one in _LOWER if one in narrow and narrow[one] > wide.get(one, float("-inf"))),
        *(one for one in sorted(exact) if narrow[one] != wide.get(one)),
    )
    for keyword in stricter:
        now, before = (one.get(keyword, "unlimited") for one in (current, released))
        yield f"{keyword} is {now}, was {before}"


def _by_type(schema: Schema) -> dict[str, Schema]:
    """Return the schema of each JSON type that a schema accepts.

    Raises:
        ValueError: a union has two variants of one type, which cannot be compared.
    """
    found: dict[str, Schema] = {}
    for variant in schema.get("anyOf", ({},)):
        merged = {**schema, **variant}
        types = merged.get("type", "any")
        for type_ in (types,) if isinstance(types, str) else types:
            if type_ in found:
                raise ValueError(f"two variants of type {type_}: {schema}")
            found[type_] = {name: value for name, value in merged.items() if name != "anyOf"}
    if "number" in found:
        found.setdefault("integer", found["number"])
    return found
