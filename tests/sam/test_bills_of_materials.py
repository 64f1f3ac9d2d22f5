"""`make build` lists what each layer contains, in CycloneDX."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

import pytest

from tests.sam.built import BUILD, ROOT

if TYPE_CHECKING:
    from pathlib import Path

LOCKS: Final = sorted(ROOT.glob("layers/*/requirements.txt"))
PINNED: Final = re.compile(r"^([\w.-]+)==([\w.]+)", re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.parent.name))
def test_bill_of_a_layer_has_its_locked_packages(lock: Path) -> None:
    path = BUILD.parent / "sbom" / f"{lock.parent.name}.cdx.json"

    bill = json.loads(path.read_text("utf-8"))

    pinned = set(PINNED.findall(lock.read_text("utf-8")))
    assert bill["bomFormat"] == "CycloneDX"
    assert {(one["name"], one["version"]) for one in bill["components"]} == pinned
    assert pinned


def test_every_layer_has_a_bill() -> None:
    bills = {path.name for path in (BUILD.parent / "sbom").glob("*.cdx.json")}

    assert bills == {f"{lock.parent.name}.cdx.json" for lock in LOCKS}
