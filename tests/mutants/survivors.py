"""The mutants that are known to survive, with the reasons, in ``survivors.txt``.

A module is a line in brackets, a mutant the line below it, and its reason the indented line below
that. The order does not matter.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

FILE: Final = Path(__file__).with_name("survivors.txt")


def known() -> dict[str, dict[str, str]]:
    """Return the reasons by module and mutant.

    Raises:
        ValueError: a mutant has no reason, or is in no module.
    """
    found: dict[str, dict[str, str]] = {}
    module, change = "", ""
    for line in FILE.read_text("utf-8").splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith("[") and line.endswith("]"):
            module = line[1:-1]
        elif not line.startswith(" "):
            if change or not module:
                raise ValueError(f"no reason: {change}, or no module: {line}")
            change = line
        else:
            found.setdefault(module, {})[change] = line.strip()
            change = ""
    return found


def entry(module: str, changes: Iterable[str]) -> str:
    """Return mutants as `FILE` has them, without their reasons."""
    return "\n".join([f"[{module}]", *(f"{change}\n  ?" for change in changes)])
