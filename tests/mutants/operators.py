"""The mutations: the operators of Cosmic Ray that make sense here, and some of our own.

Cosmic Ray has none for what most of our constants are: sets, tables and SQL.
"""

from __future__ import annotations

import re
from typing import Any, Final

from cosmic_ray.operators.number_replacer import NumberReplacer
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator
from parso import parse

Position = tuple[tuple[int, int], tuple[int, int]]

_COLLECTIONS: Final = {"testlist_comp", "dictorsetmaker"}
_PARAMETERS: Final = {"parameters", "lambdef"}
_SQL: Final = re.compile(r"\b(SELECT|UPDATE|DELETE|INSERT)\b")
# Clauses without parameters; without a clause that has one, the statement is always an error.
_CLAUSES: Final = re.compile(
    r"""\s+(?:
        ORDER\ BY\ [^%()"{}]+?(?=\s+(?:LIMIT|FOR)|\)|\s*"|\s*$)
        | LIMIT\ \d+
        | FOR\ UPDATE(?:\ SKIP\ LOCKED)?
        | SKIP\ LOCKED
        | DISTINCT
        | (?:AND|OR)\ [^%"{}]+?(?=\s+(?:AND|OR|ORDER|GROUP|LIMIT|FOR|ON)\b|\s*"|\s*$)
    )""",
    re.VERBOSE,
)


class IncreaseNumber(NumberReplacer):  # type: ignore[misc]  # Cosmic Ray publishes no types
    """Adds one to a number; subtracting one, too, would double the time for little."""

    def mutation_positions(self, node: Any) -> list[Position]:  # noqa: ANN401 - parso's
        return list(super().mutation_positions(node))[:1]


class Divide(get_operator("core/ReplaceBinaryOperator_Mul_Div")):  # type: ignore[misc]  # likewise
    """Divides instead of multiplying; Cosmic Ray takes the ``*`` among parameters for a product."""

    def mutation_positions(self, node: Any) -> list[Position]:  # noqa: ANN401 - parso's
        is_parameter = node.parent is not None and node.parent.type in _PARAMETERS
        return [] if is_parameter else list(super().mutation_positions(node))


class RemoveElement(Operator):  # type: ignore[misc]  # likewise
    """Removes an element of a set, list, tuple or dictionary that is written out."""

    def mutation_positions(self, node: Any) -> list[Position]:  # noqa: ANN401 - parso's
        children = node.children if node.type in _COLLECTIONS else ()
        return [(children[a].start_pos, children[b].end_pos) for a, b in _elements(node)]

    def mutate(self, node: Any, index: int) -> Any:  # noqa: ANN401 - parso's
        first, last = _elements(node)[index]
        end = last + 1
        if end < len(node.children):
            end += 1  # the comma behind it
        elif first > 2:
            first -= 1
        del node.children[first:end]
        return node

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


class RemoveCall(Operator):  # type: ignore[misc]  # likewise
    """Removes a call whose result is not used, except that of a logger."""

    def mutation_positions(self, node: Any) -> list[Position]:  # noqa: ANN401 - parso's
        called = node.type == "simple_stmt" and _is_call(node.children[0])
        return [(node.start_pos, node.end_pos)] if called else []

    def mutate(self, node: Any, index: int) -> Any:  # noqa: ANN401, ARG002 - parso's
        node.children[0] = parse(f"{node.get_first_leaf().prefix}pass")
        return node

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


class RemoveClause(Operator):  # type: ignore[misc]  # likewise
    """Removes a clause of an SQL statement: a condition, an order, a lock."""

    def mutation_positions(self, node: Any) -> list[Position]:  # noqa: ANN401 - parso's
        sql = node.type in {"string", "fstring_string"} and _SQL.search(node.value)
        found = _CLAUSES.findall(node.value) if sql else ()
        return [(node.start_pos, node.end_pos)] * len(found)

    def mutate(self, node: Any, index: int) -> Any:  # noqa: ANN401 - parso's
        found = list(_CLAUSES.finditer(node.value))[index]
        node.value = node.value[: found.start()] + node.value[found.end() :]
        return node

    @classmethod
    def examples(cls) -> tuple[()]:
        return ()


_STANDARD: Final = (
    *("AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue"),
    *("ReplaceAndWithOr", "ReplaceOrWithAnd", "ReplaceUnaryOperator_Delete_Not"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak"),
    *("ZeroIterationForLoop", "ReplaceUnaryOperator_Delete_USub"),
    *(
        f"ReplaceComparisonOperator_{name}"
        for name in (
            *("Eq_NotEq", "NotEq_Eq", "Is_IsNot", "IsNot_Is"),
            *("Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt", "Gt_GtE", "Gt_LtE", "GtE_Gt", "GtE_Lt"),
        )
    ),
    *(
        f"ReplaceBinaryOperator_{name}"
        for name in (
            *("Add_Sub", "Sub_Add", "Div_Mul", "FloorDiv_Mul", "Mod_Mul"),
            *("BitOr_BitAnd", "BitAnd_BitOr", "BitXor_BitOr", "Pow_Mul"),
        )
    ),
)
OPERATORS: Final[dict[str, Operator]] = {
    **{name: get_operator(f"core/{name}")() for name in _STANDARD},
    "Divide": Divide(),
    "IncreaseNumber": IncreaseNumber(),
    "RemoveElement": RemoveElement(),
    "RemoveCall": RemoveCall(),
    "RemoveClause": RemoveClause(),
}


def _elements(node: Any) -> list[tuple[int, int]]:  # noqa: ANN401 - parso's
    """Return the first and last child of each element of a collection with several."""
    if node.type not in _COLLECTIONS or any(c.type == "sync_comp_for" for c in node.children):
        return []
    commas = [
        n
        for n, child in enumerate(node.children)
        if child.type == "operator" and child.value == ","
    ]
    ends = [*commas, len(node.children)]
    starts = [0, *(n + 1 for n in commas)]
    return [(a, b - 1) for a, b in zip(starts, ends, strict=True) if a < b] if commas else []


def _is_call(node: Any) -> bool:  # noqa: ANN401 - parso's
    """Return whether an expression is a call, but not of a logger."""
    is_call = node.type == "atom_expr" and node.children[-1].get_code().startswith("(")
    return is_call and not node.get_code().strip().startswith(("_logger.", "logger."))
