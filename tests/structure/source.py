"""Reads the source files of the repository: their modules, imports, public types and calls."""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

IMPORT_ROOTS: Final = ("functions", "layers/scheduler", ".")
"""The folders on ``sys.path``; a module's name starts below the first one that contains it."""
FOLDERS: Final = ("functions", "layers", "local", "ops", "events", "bench")
DATABASE: Final = "scheduler.database."
"""The only package that converts between aware times and those of the database."""

_SILENCED: Final = re.compile(r".*# (?:noqa|type: ignore|pragma)\b[^#]*?(?: - |#|$)(.*)")
"""A line whose last comment that silences a check ends with the reason, if there is one."""

Graph = dict[str, set[str]]
"""What each module or package imports."""


@dataclass(frozen=True)
class Module:
    """A source file, named as it is imported."""

    name: str
    tree: ast.Module

    @property
    def package(self) -> str:
        """The top-level package; below `scheduler`, the package or module beside it."""
        depth = 2 if self.name.startswith("scheduler.") else 1
        return ".".join(self.name.split(".")[:depth])

    def imported(self) -> Iterator[str]:
        """Yield what the module imports, also in functions and for type checking only."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def read_modules(root: Path, folders: Iterable[str] = FOLDERS) -> dict[str, Module]:
    """Return the modules in some folders of a source tree, by name."""
    modules = (
        Module(_name(root, path), ast.parse(path.read_text("utf-8")))
        for path in _paths(root, folders)
    )
    return {module.name: module for module in modules}


def _paths(root: Path, folders: Iterable[str]) -> Iterator[Path]:
    return (path for folder in folders for path in sorted((root / folder).rglob("*.py")))


def _name(root: Path, path: Path) -> str:
    base = next(root / one for one in IMPORT_ROOTS if path.is_relative_to(root / one))
    *packages, module = path.relative_to(base).with_suffix("").parts
    return ".".join(packages if module == "__init__" else [*packages, module])


def line_counts(root: Path, folders: Iterable[str]) -> dict[str, int]:
    """Return the numbers of lines of the Python files in some folders, by path."""
    return {
        str(path.relative_to(root)): path.read_bytes().count(b"\n")
        for path in _paths(root, folders)
    }


def silenced_without_reason(root: Path, folders: Iterable[str]) -> list[str]:
    """Return where a comment silences a check without a reason in the same line."""
    return [
        f"{path.relative_to(root)}:{number}"
        for path in _paths(root, folders)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if (found := _SILENCED.match(line)) and not found[1].strip()
    ]


def unused_names(root: Path, folders: Iterable[str]) -> list[str]:
    """Return the functions, classes and constants of modules that nothing names.

    What a decorator registers is used by its framework, and so is what pytest collects.
    """
    modules = read_modules(root, folders)
    sources = [path.read_text("utf-8") for path in _paths(root, folders)]
    sources += [path.read_text("utf-8") for path in (root / "template.yaml", *root.glob("*.toml"))]
    named = Counter(re.findall(r"\w+", "\n".join(sources)))
    return [
        f"{module.name}:{name}"
        for module in modules.values()
        for name in _defined_names(module.tree)
        if named[name] == 1 and not name.lower().startswith(("test", "pytest_"))
    ]


def _defined_names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        match node:
            case ast.FunctionDef(decorator_list=[]) | ast.ClassDef(decorator_list=[]):
                yield node.name
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def import_graph(modules: Mapping[str, Module]) -> Graph:
    """Return which of the modules each of them imports."""
    graph: Graph = {name: set() for name in modules}
    for module in modules.values():
        for name in module.imported():
            target = name if name in modules else name.rpartition(".")[0]
            if target in modules:
                graph[module.name].add(target)
    return graph


def package_graph(modules: Mapping[str, Module]) -> Graph:
    """Return which packages and modules directly below `scheduler` each of them imports."""
    graph: Graph = defaultdict(set)
    for name, targets in import_graph(modules).items():
        package = modules[name].package
        if package.startswith("scheduler."):
            graph[package] |= {modules[target].package for target in targets} - {package}
    return dict(graph)


def circles(graph: Graph) -> list[list[str]]:
    """Return the groups of nodes that import each other, directly or through others."""
    reachable = {node: _reachable(graph, node) for node in graph}
    groups = {
        tuple(sorted(other for other in reachable[node] if node in reachable.get(other, ())))
        for node in graph
    }
    return [list(group) for group in sorted(groups) if group]


def _reachable(graph: Graph, start: str) -> set[str]:
    found: set[str] = set()
    left = list(graph[start])
    while left:
        node = left.pop()
        if node not in found:
            found.add(node)
            left.extend(graph.get(node, ()))
    return found


def repeated_types(modules: Mapping[str, Module]) -> dict[str, list[str]]:
    """Return the public classes and type aliases that several modules define, by name."""
    defined = defaultdict(list)
    for module in modules.values():
        for node in module.tree.body:
            name = _type_name(node)
            if name and not name.startswith("_"):
                defined[name].append(module.name)
    return {name: where for name, where in sorted(defined.items()) if len(where) > 1}


def _type_name(node: ast.stmt) -> str | None:
    match node:
        case ast.ClassDef():
            return node.name
        case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="TypeAlias")):
            return name
        # Such as Annotated[…], Callable[…] and A | B; constants are in capitals.
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Subscript() | ast.BinOp()):
            return name if name[0].isupper() and not name.isupper() else None
    return None


def calls_of(function: str, modules: Mapping[str, Module]) -> list[str]:
    """Return where a function is called by its plain name."""
    return [
        f"{module.name}:{call.lineno}"
        for module in modules.values()
        for call in _calls(module)
        if isinstance(call.func, ast.Name) and call.func.id == function
    ]


def modules_that_name(attribute: str, modules: Mapping[str, Module]) -> list[str]:
    """Return the modules that use a name or an attribute."""
    return [
        module.name
        for module in modules.values()
        if any(
            attribute in {getattr(node, "id", None), getattr(node, "attr", None)}
            for node in ast.walk(module.tree)
        )
    ]


def zone_replacements(modules: Mapping[str, Module]) -> list[str]:
    """Return where the zone of a time is replaced without conversion, outside the database."""
    return [
        f"{module.name}:{call.lineno}"
        for module in modules.values()
        if not module.name.startswith(DATABASE)
        for call in _calls(module)
        if isinstance(call.func, ast.Attribute) and call.func.attr == "replace"
        if any(keyword.arg == "tzinfo" for keyword in call.keywords)
        if ast.unparse(call.func.value) != "datetime.max"
    ]


def _calls(module: Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.Call))
