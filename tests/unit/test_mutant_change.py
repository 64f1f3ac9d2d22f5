"""A changed source replaces the code of a module's functions, or tells that it cannot."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.mutants.change import Module, swap_code

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """
class Parent:
    def number(self):
        return 1

class Child(Parent):
    def number(self):
        return super().number() + 1
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Module:
    file = tmp_path / "numbered.py"
    file.write_text(SOURCE, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "numbered", raising=False)
    return Module("numbered", file)


def test_changed_code_is_swapped_in(module: Module) -> None:
    numbered: Any = __import__("numbered")
    child = numbered.Child()

    assert swap_code(module, SOURCE.replace("+ 1", "+ 2"))
    assert child.number() == 3


def test_code_without_its_super_is_not_swapped_in(module: Module) -> None:
    numbered: Any = __import__("numbered")

    assert not swap_code(module, SOURCE.replace("super().number() + 1", "7"))
    assert numbered.Child().number() == 2
