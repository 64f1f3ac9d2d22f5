"""Fixtures of the drills in ``make test``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.drill_plan import Servers
from tests.faults.workload import DrillWorkload

if TYPE_CHECKING:
    from local.servers.mariadb import MariaDB
    from local.servers.rabbitmq import RabbitMQ


@pytest.fixture
def servers(mariadb: MariaDB, rabbitmq: RabbitMQ, aws_url: str) -> Servers:
    return Servers(mariadb, rabbitmq, aws_url)


@pytest.fixture
def load() -> DrillWorkload:
    """A workload without events."""
    return DrillWorkload(seed=1)
