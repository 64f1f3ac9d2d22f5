"""Fixtures: an empty state folder, dead letters on the real broker, the operations function."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.aws import aws_client
from local.environment import function_environment
from local.operations import STACK, OperationsServer, start_operations
from local.ports import free_port
from tests.integration.ops.letters import Broker
from tests.integration.ops.running import DeadLetters

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.store import Store


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


@pytest.fixture
def function(
    store: Store, broker: Broker, aws_url: str, database_url: str, tmp_path: Path
) -> Iterator[OperationsServer]:
    assert store
    environment = function_environment(database_url, broker.url, aws_url) | {"SHARDS": "1"}
    running = start_operations(free_port(), environment, tmp_path)
    yield running
    running.stop()
    aws_client("cloudformation", aws_url).delete_stack(StackName=STACK)
