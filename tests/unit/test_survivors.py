"""The mutants that are known to survive are about code that is still there, each with a reason."""

from __future__ import annotations

from local.paths import ROOT
from tests.mutants import survivors


def test_known_survivors_change_lines_that_are_still_there() -> None:
    """`make mutants` takes long; it finds the others that are out of date."""
    known = survivors.known()

    gone = [
        f"{module}: {change}"
        for module, reasons in known.items()
        for change in reasons
        if change.partition("  →")[0] not in source_of(module)
    ]

    assert gone == []


def source_of(module: str) -> str:
    """Return the lines of a module, in one."""
    relative = f"{module.replace('.', '/')}.py"
    roots = (ROOT / "layers/scheduler", ROOT / "functions")
    file = next(root / relative for root in roots if (root / relative).exists())
    return " ".join(line.strip() for line in file.read_text("utf-8").splitlines())
