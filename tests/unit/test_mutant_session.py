"""What `make mutants` counts as noticed: a test that fails, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

from local.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

_CONFTEST: Final = 'pytest_plugins = ["tests.servers"]\n'
_PRODUCT: Final = "def double(value):\n    return 2 * value\n"
_TESTS: Final = """
import pytest

def recurse():
    recurse()

def test_the_stack_is_exhausted():
    with pytest.raises(RecursionError):
        recurse()

def test_one_is_doubled():
    from lazy_product import double  # as the product imports what few invocations need

    assert double(1) == 2
"""
_PROGRAM: Final = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from tests.mutants.change import Module
from tests.mutants.session import Session

folder = Path(sys.argv[1])
product = folder / "lazy_product.py"
source = product.read_text()
sources = [source, source.replace("2", "3"), source.replace("2 *", "value **"), *sys.argv[2:]]
mutants = [SimpleNamespace(line=2, source=one, function=range(2, 3)) for one in sources]
told = lambda module, mutant, survived: print("survived" if survived else "killed", file=sys.stderr)
session = Session(
    {Module("lazy_product", product): mutants}, [str(folder)], folder, told, time.monotonic() + 60
)
session.run()
print(session.broken.splitlines()[:1], file=sys.stderr)
"""


def results(folder: Path, *more: str) -> list[str]:
    """Try the product unchanged and with two changes, then other sources."""
    for name, text in (
        ("conftest.py", _CONFTEST),
        ("lazy_product.py", _PRODUCT),
        ("test_lazy.py", _TESTS),
    ):
        (folder / name).write_text(text, "utf-8")
    command = (sys.executable, "-c", _PROGRAM, str(folder), *more)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    return done.stderr.splitlines()


def test_a_change_of_a_module_that_is_imported_late_survives_unless_a_test_fails(
    tmp_path: Path,
) -> None:
    """Even if a test before it has ended the tracing by which the concerned tests are found."""
    assert results(tmp_path) == ["survived", "killed", "killed", "[]"]


def test_a_change_that_cannot_be_tried_is_not_counted_as_noticed(tmp_path: Path) -> None:
    found = results(tmp_path, "def double(value:")

    assert found == ["survived", "killed", "killed", "['lazy_product:2 could not be tried:']"]
