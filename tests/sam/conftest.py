from __future__ import annotations

import pytest

from tests.sam.built import BUILD, EMULATOR


@pytest.fixture(scope="session", autouse=True)
def _built() -> None:
    if not (BUILD / "template.yaml").exists() or not EMULATOR.exists():
        pytest.fail("the functions are not built for this machine: run `make build-here`")
