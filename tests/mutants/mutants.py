"""The mutants of a file: each is its source with one change."""

from __future__ import annotations

import ast
import difflib
from typing import TYPE_CHECKING, Final, NamedTuple

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

from tests.mutants.operators import OPERATORS

if TYPE_CHECKING:
    from collections.abc import Iterator

_SEPARATOR: Final = "  →  "
Position = tuple[int, int]


class Mutant(NamedTuple):
    """A changed source.

    ``change`` identifies it: the lines before and after. ``function`` are the lines of the function
    in which it is; None if it has to be imported to take effect.
    """

    line: int
    change: str
    source: str
    function: range | None


def mutants(source: str) -> Iterator[Mutant]:
    """Yield all mutants of a source: those in functions first, because they take less time."""
    found = [mutant for operator in OPERATORS for mutant in _by_operator(source, operator)]
    yield from sorted(found, key=lambda one: (one.function is None, one.line, one.change))


def _by_operator(source: str, name: str) -> Iterator[Mutant]:
    operator, tree, ignored = OPERATORS[name], get_ast(source), _without_effect(source)
    functions = _functions(source)
    positions = [
        position for node in ast_nodes(tree) for position in operator.mutation_positions(node)
    ]
    for occurrence, (start, end) in enumerate(positions):
        if any(first <= start and end <= last for first, last in ignored):
            continue
        changed = mutate_code(source, operator, occurrence)
        if changed and changed != source and _is_valid(changed):
            function = next((one for one in functions if start[0] in one), None)
            yield Mutant(start[0], _change(source, changed), changed, function)


def _is_valid(source: str) -> bool:
    """Return whether a source is Python; some changes of an assignment in a condition are not."""
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


def _change(before: str, after: str) -> str:
    """Return the changed lines, before and after."""
    found = [*difflib.unified_diff(before.splitlines(), after.splitlines(), n=0)][3:]
    old, new = (" ".join(one[1:].strip() for one in found if one[0] == sign) for sign in "-+")
    return f"{old}{_SEPARATOR}{new}".rstrip()


def _functions(source: str) -> list[range]:
    """Return the lines of the bodies of functions; default values are not in the body.

    Without those that make functions, which may have been made at the import.
    """
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    makers = {
        one
        for one in found
        for inner in ast.walk(one)
        if isinstance(inner, ast.FunctionDef) and inner is not one
    }
    made = {inner for maker in makers for inner in ast.walk(maker)}
    return [
        range(one.body[0].lineno, (one.end_lineno or 0) + 1) for one in found if one not in made
    ]


def _without_effect(source: str) -> list[tuple[Position, Position]]:
    """Return where a change has no effect, or one that only mypy sees."""
    return [
        ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))
        for node in _ignored_nodes(ast.parse(source))
    ]


def _ignored_nodes(tree: ast.AST) -> Iterator[ast.expr | ast.stmt | ast.keyword]:
    for node in ast.walk(tree):
        match node:
            case ast.AnnAssign(annotation=ast.Name(id="TypeAlias")):
                yield node
            case ast.AnnAssign(annotation=annotation):
                yield annotation
            case ast.arg(annotation=ast.expr() as annotation):
                yield annotation
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield node
            case ast.keyword(arg="strict"):
                yield node
            case ast.Assign(targets=[ast.Name(id="__slots__")]):
                yield node
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield from node.decorator_list
        if isinstance(node, ast.FunctionDef) and node.returns:
            yield node.returns
