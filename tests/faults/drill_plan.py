"""The plan of a drill, the servers it may kill, and its source of randomness."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from local.event_source_mapping.mapping import Batching

if TYPE_CHECKING:
    from local.servers.mariadb import MariaDB
    from local.servers.rabbitmq import RabbitMQ


@dataclass(frozen=True, slots=True)
class DrillPlan:
    """Numbers of events and kills; ``kills`` are those of the function."""

    seed: int
    events: int
    kills: int = 0
    broker_kills: int = 0
    database_kills: int = 0
    forgetful: bool = False
    """Negative control: the function does not store which messages were processed."""
    preloaded: bool = False
    """Fork the function's processes instead of starting them cold."""
    retry_delay_ms: int = 1000
    batching: Batching = field(default_factory=lambda: Batching(size=25, window=0.05))


@dataclass(frozen=True, slots=True)
class Servers:
    """Running servers that nothing else uses during the drill."""

    mariadb: MariaDB
    rabbitmq: RabbitMQ
    aws_url: str


def seeded(seed: int, *parts: object) -> Random:
    """Return a random generator that is the same in every process for the same seed and parts."""
    return Random("/".join(map(str, (seed, *parts))))  # noqa: S311 - reproducible, not secret
