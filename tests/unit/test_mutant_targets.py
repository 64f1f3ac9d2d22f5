"""`make mutants` changes every module of the packages that decide what happens to a message."""

from __future__ import annotations

from typing import Final

from local.paths import ROOT
from tests.mutants.targets import selected

_LAYER: Final = ROOT / "layers/scheduler"
_FUNCTIONS: Final = ROOT / "functions"
_PACKAGES: Final = ("domain", "pipeline", "payments", "allocation", "outbox")


def test_every_module_of_the_packages_is_in_one_target() -> None:
    modules = [module.file for some, _ in selected(()) for module in some]

    expected = {
        *(file for one in _PACKAGES for file in (_LAYER / "scheduler" / one).rglob("*.py")),
        *_FUNCTIONS.glob("*_events/rules.py"),
    }
    missing = {file for file in expected if file.name != "__init__.py"}.difference(modules)

    assert sorted(str(file.relative_to(ROOT)) for file in missing) == []
    assert len(modules) == len(set(modules))


def test_the_tests_of_every_target_exist() -> None:
    named = {path for _, target in selected(()) for path in target.tests}

    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
