"""Runs the tests on all mutants of a module, in a process that exists for that alone."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.mutants.mutants import Mutant, mutants
from tests.mutants.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.mutants.change import Module
    from tests.mutants.targets import Target


@dataclass
class Examined:
    """What became of the mutants of a module; ``broken`` tells why some were not tried."""

    module: str
    pure: bool
    killed: int = 0
    survived: list[str] = field(default_factory=list)
    broken: str = ""
    seconds: float = 0.0

    @property
    def total(self) -> int:
        """Return the number of mutants."""
        return self.killed + len(self.survived)


def examine(modules: Sequence[Module], target: Target, end: float) -> list[Examined]:
    """Run the tests of a target on each mutant of modules, until a time of the monotonic clock."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # pytest's
    found = {one: list(mutants(one.file.read_text("utf-8"))) for one in modules}
    results = {one: Examined(one.name, target.pure) for one in modules}
    started = time.monotonic()

    def tell(module: Module, mutant: Mutant, survived: bool) -> None:  # noqa: FBT001 - one of two
        nonlocal started
        result, now = results[module], time.monotonic()
        result.seconds, started = result.seconds + now - started, now
        if survived:
            result.survived.append(mutant.change)
            say(f"\r  survived: {module.name}:{mutant.line}  {mutant.change}\n")
        else:
            result.killed += 1
        done = f"{result.total} of {len(found[module])}, {len(result.survived)} survived"
        say(f"\r  {module.name}: {done} ")

    with tempfile.TemporaryDirectory() as folder:
        session = Session(found, target.tests, Path(folder), tell, end)
        session.run()
    for module, result in results.items():
        if result.total < len(found[module]):
            result.broken = session.broken
    return list(results.values())


def say(text: str) -> None:
    """Print progress."""
    sys.stderr.write(text)
    sys.stderr.flush()
