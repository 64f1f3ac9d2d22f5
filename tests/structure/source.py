"""What the syntax trees of the source files say: imports, public types, calls."""

from __future__ import annotations

import ast
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

IMPORT_ROOTS: Final = ("functions", "layers/scheduler", ".")
"""The folders that are on ``sys.path``; a module's name begins below the first that holds it."""
PRODUCT: Final = ("functions", "layers")
FOLDERS: Final = (*PRODUCT, "local", "ops", "events", "bench")
BORDER: Final = "scheduler.database."
"""Where times are converted: inside, drivers and SQL; outside, aware times in UTC."""

Graph = dict[str, set[str]]


@dataclass(frozen=True)
class Module:
    """A source file under the name by which it is imported."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def room(self) -> str:
        """Return its package below `scheduler`, or the package at the top elsewhere."""
        return ".".join(self.name.split(".")[: 2 if self.name.startswith("scheduler.") else 1])


def read(root: Path, folders: Iterable[str] = FOLDERS) -> dict[str, Module]:
    """Return the modules in some folders of a source tree, by name."""
    modules = {}
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            name = _name(root, path)
            modules[name] = Module(name, path, ast.parse(path.read_text("utf-8")))
    return modules


def _name(root: Path, path: Path) -> str:
    base = next(root / one for one in IMPORT_ROOTS if path.is_relative_to(root / one))
    *packages, module = path.relative_to(base).with_suffix("").parts
    return ".".join(packages if module == "__init__" else [*packages, module])


def imports(modules: Mapping[str, Module]) -> Graph:
    """Return which module imports which, wherever in the file the import stands."""
    return {name: set(_imported(module, modules)) - {name} for name, module in modules.items()}


def _imported(module: Module, modules: Mapping[str, Module]) -> Iterator[str]:
    for node in ast.walk(module.tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            candidates = (name, name.rpartition(".")[0])
            yield from [one for one in candidates if one in modules][:1]


def rooms(modules: Mapping[str, Module]) -> Graph:
    """Return which package of `scheduler` imports which other; a module beside them counts too."""
    graph: Graph = {module.room: set() for module in modules.values()}
    for name, targets in imports(modules).items():
        room = modules[name].room
        graph[room] |= {modules[target].room for target in targets} - {room}
    return {room: targets for room, targets in graph.items() if room.startswith("scheduler.")}


def circles(graph: Graph) -> list[list[str]]:
    """Return the groups of nodes that reach each other, each sorted."""
    reached = {node: _reachable(graph, node) for node in graph}
    groups = {
        frozenset(other for other in reached[node] if node in reached.get(other, ()))
        for node in graph
        if node in reached[node]
    }
    return sorted(sorted(group) for group in groups)


def _reachable(graph: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    left = list(graph[start])
    while left:
        node = left.pop()
        if node not in seen:
            seen.add(node)
            left.extend(graph.get(node, ()))
    return seen


def public_types(modules: Mapping[str, Module]) -> dict[str, list[str]]:
    """Return the modules in which a public class or type alias is defined, by its name."""
    found = defaultdict(list)
    for module in modules.values():
        for node in module.tree.body:
            if (name := _type_name(node)) and not name.startswith("_"):
                found[name].append(module.name)
    return found


def _type_name(node: ast.stmt) -> str | None:
    match node:
        case ast.ClassDef():
            return node.name
        case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="TypeAlias")):
            return name
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Subscript(value=ast.Name())):
            return name if not name.isupper() else None  # such as Annotated[…], Callable[…]
    return None


def calls(modules: Mapping[str, Module], function: str) -> list[str]:
    """Return where a function is called by its plain name, as ``module:line``."""
    return [
        f"{module.name}:{node.lineno}"
        for module in modules.values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        if isinstance(node.func, ast.Name) and node.func.id == function
    ]


def zone_changes(modules: Mapping[str, Module]) -> list[str]:
    """Return where a time is given another zone without converting it, as ``module:line``."""
    return [
        f"{module.name}:{node.lineno}"
        for module in modules.values()
        if not module.name.startswith(BORDER)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and any(word.arg == "tzinfo" for word in node.keywords)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "replace"
    ]
