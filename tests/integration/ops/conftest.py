"""Fixtures: an empty state folder, and dead letters on the real broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.ops.letters import Broker
from tests.integration.ops.running import DeadLetters

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLOUDPHONE_STATE_DIR", str(tmp_path))
    for name in ("BROKER_URL", "DATABASE_URL", "SCHEDULER_STACK"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def broker(broker_url: str) -> Broker:
    return Broker(broker_url)


@pytest.fixture
def dead_letters(broker_url: str) -> DeadLetters:
    return DeadLetters(broker_url)
