"""Puts a changed source in the place of a module, in a process that exists for that alone."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from local.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.machinery import ModuleSpec


class Module(NamedTuple):
    """A module of the product."""

    name: str
    file: Path


def swap_code(module: Module, source: str) -> bool:
    """Give the functions of an imported module the code that they have in another source.

    Whoever has imported one of them by its name sees the change, too. Returns False, and changes
    nothing, if a function uses other variables of its surroundings than before, as after the loss
    of its only ``super()``.
    """
    changed = dict(_functions(_codes(compile(source, str(module.file), "exec"))))
    found = vars(sys.modules[module.name]).values()
    swaps = [
        (function, code)
        for function in _defined(found, module.name)
        if (code := changed.get(function.__qualname__)) is not None
    ]
    if any(code.co_freevars != function.__code__.co_freevars for function, code in swaps):
        return False
    for function, code in swaps:
        function.__code__ = code
    return True


def import_anew(module: Module, source: str) -> None:
    """Forget all modules of this repository, and have one of them imported from another source."""
    for name, found in list(sys.modules.items()):
        file = getattr(found, "__file__", None)
        if file and Path(file).is_relative_to(ROOT) and "site-packages" not in file:
            del sys.modules[name]
    sys.meta_path.insert(0, _Finder(module, source))


def _functions(codes: Iterator[CodeType]) -> Iterator[tuple[str, CodeType]]:
    for code in codes:
        yield code.co_qualname, code


def _codes(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of all functions and classes; a function's code has that of those in it."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _defined(values: Any, module: str) -> Iterator[FunctionType]:  # noqa: ANN401 - whatever a module has
    """Yield the functions and methods that a module defines, without their decorators."""
    for value in list(values):
        if isinstance(value, type) and value.__module__ == module:
            yield from _defined(vars(value).values(), module)
        for one in (value, *(getattr(value, name, None) for name in ("fget", "__func__"))):
            function = getattr(one, "__wrapped__", one)
            if isinstance(function, FunctionType) and function.__module__ == module:
                yield function


class _Finder(MetaPathFinder):
    """Finds the changed module before its file is found."""

    def __init__(self, module: Module, source: str) -> None:
        self._module = module
        self._loader = _Loader(module, source)

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        if fullname != self._module.name:
            return None
        return spec_from_file_location(fullname, self._module.file, loader=self._loader)


class _Loader(SourceFileLoader):
    def __init__(self, module: Module, source: str) -> None:
        super().__init__(module.name, str(module.file))
        self._source = source

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - the signature of a loader
        code: CodeType = compile(self._source, self.path, "exec", dont_inherit=True)
        return code
