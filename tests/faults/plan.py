"""What a drill is to do, and the servers it may break."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local.event_source_mapping.mapping import Batching

if TYPE_CHECKING:
    from local.servers.mariadb import MariaDB
    from local.servers.rabbitmq import RabbitMQ


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything; ``kills`` are those of the function."""

    seed: int
    events: int
    kills: int = 0
    broker_kills: int = 0
    database_kills: int = 0
    forgetful: bool = False
    """The negative control: the function does not remember what it processed."""
    preloaded: bool = False
    """Fork the function's processes instead of starting them cold."""
    retry_delay_ms: int = 1000
    batching: Batching = field(default_factory=lambda: Batching(size=25, window=0.05))


@dataclass(frozen=True, slots=True)
class Servers:
    """Running servers that nobody else needs meanwhile."""

    mariadb: MariaDB
    rabbitmq: RabbitMQ
    aws_url: str
