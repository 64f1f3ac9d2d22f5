"""Programs that `make test` installs besides the environment of the tests."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

import pytest

from local.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

CONTRACTS: Final = ROOT / "contracts"
NODE_BIN: Final = CONTRACTS / "node_modules/.bin"
CLIENTS_BIN: Final = ROOT / ".venv-clients/bin"
needs_npm: Final = pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm")


def require(folder: Path, target: str) -> None:
    """Fail if a folder with programs is missing, because a skipped test would not be noticed."""
    assert folder.is_dir(), f"not installed; run `make {target}`"
