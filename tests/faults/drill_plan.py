"""The plan of a drill, the servers it may kill, and its source of randomness."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Final

from local.event_source_mapping.mapping import Batching

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.servers.mariadb import MariaDB
    from local.servers.rabbitmq import RabbitMQ


class Weakness(StrEnum):
    """What a negative control removes, so that the drill must report the damage."""

    PROCESSED_IDS = "without-processed-ids"
    """The function does not store which messages were processed."""
    CONFIRMS = "without-confirms"
    """It publishes retries and dead letters without awaiting the broker's confirms."""
    GUARD = "without-guard"
    """It applies events although newer ones were applied."""
    LOCKS = "without-locks"
    """It reads users and devices without locking them."""
    TAMPERED = "tampered"
    """The function is as deployed, but afterwards all users are suspended and all devices fail."""


class NetworkFault(StrEnum):
    """What a connection of the function suffers."""

    DELAY = "delayed"
    CUT = "cut"
    """Closed in order, as by a proxy that restarts."""
    HALF_OPEN = "half-open"
    """Open, but nothing arrives any more, not even that the other side has closed it."""
    RESET = "reset"


_NETWORK_KINDS: Final = (
    *[NetworkFault.DELAY] * 3,
    *[NetworkFault.CUT] * 3,
    *[NetworkFault.RESET] * 3,
    NetworkFault.HALF_OPEN,
)
"""Half-open connections are rare, because each blocks its function for seconds."""


@dataclass(frozen=True, slots=True)
class DrillPlan:
    """Numbers of events and faults; ``kills`` are those of the function."""

    seed: int
    events: int
    kills: int = 0
    broker_kills: int = 0
    database_kills: int = 0
    network_faults: int = 0
    """Faults of the connections of the function."""
    network_kinds: Sequence[NetworkFault] = _NETWORK_KINDS
    """What the faults are drawn from."""
    network_schemes: Sequence[str] = ("mysql", "amqp", "http")
    """The servers whose connections fail, by the scheme of their URL."""
    weakness: Weakness | None = None
    shards: int = 1
    """Queues per event."""
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
