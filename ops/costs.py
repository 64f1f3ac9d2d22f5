"""What a deployment costs a month, by its traffic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ops.prices import Prices

HOURS: Final = 730
SECONDS: Final = HOURS * 3600
_MINUTES: Final = HOURS * 60
_MILLION: Final = 1_000_000
_KB_PER_GB: Final = 1_000_000

# How the functions work: docs/operations.md, "Costs", says where each figure comes from.
_QUEUES: Final = 15
_BATCHES_PER_SECOND: Final = 2
"""A mapping collects messages for half a second."""
_BATCH_SECONDS: Final = 0.050
_MESSAGE_SECONDS: Final = 0.003
_REQUEST_SECONDS: Final = 0.050
API_MB: Final = 1769
"""Memory of allocation-api; the other functions have 1 GB."""
_MB_PER_GB: Final = 1024
_RUN_SECONDS: Final = 1.5
"""Of dispatcher and housekeeping, each minute."""
_DISPATCHER_BUSY_FROM: Final = 100
"""Notifications a second from which the dispatcher always runs."""
_LOG_KB_PER_MESSAGE: Final = 0.5
_LOG_KB_PER_INVOCATION: Final = 2.0
_LOG_KB_PER_DELIVERY: Final = 0.4
_NETWORK_KB_PER_MESSAGE: Final = 1.0
PAYMENT_EVENTS: Final = 3
"""Of the queues; as many events as of the other types are assumed."""
_WRITES_PER_PAYMENT: Final = 2
"""One, which costs double in a transaction."""
_CONNECTIONS_AN_HOUR: Final = 0.5
"""API Gateway closes each after two hours."""
TICKET_WRITES: Final = 3
CONNECTION_WRITES: Final = 6
"""With those of the index by user, when the connection is added to it and removed."""
_KEEP_ALIVES_AN_HOUR: Final = 6
"""Messages of a client, each of which asks for a replay, so its time is written."""

# What is stored, with its indices, and for how long (docs/housekeeping.md, "Retention"); estimates.
_MESSAGE_ROW_KB, _MESSAGE_DAYS = 0.3, 30
_NOTIFICATION_ROW_KB, _NOTIFICATION_DAYS = 1.0, 90
_DEVICE_ROW_KB: Final = 1.0
_USER_ROW_KB: Final = 1.0
_SECONDS_PER_DAY: Final = 86_400
_SMALLEST_DATABASE_GB: Final = 20

ALARM_METRICS: Final = 107
COMPOSITE_ALARMS: Final = 33
_METRICS: Final = 175
_SECRETS: Final = 5


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a deployment has to do.

    Attributes:
        events: events a second.
        users: users whose client is connected.
        devices: cloud phones.
        frames: notifications by WebSocket a second.
        requests: requests of the HTTP API a second.
        emails: a month.
        texts: text messages a month.
    """

    events: float
    users: int = 0
    devices: int = 0
    frames: float = 0
    requests: float = 0
    emails: int = 0
    texts: int = 0


class CostItem(NamedTuple):
    """A line of the calculation, in US dollars a month."""

    name: str
    calculation: str
    dollars: float


class DeploymentSize(NamedTuple):
    """What samconfig.toml deploys as ``dev`` or ``prod``."""

    zones: int
    broker_nodes: int
    database_zones: int
    arm: bool


SIZES: Final = {
    "dev": DeploymentSize(1, 1, 1, arm=False),
    "prod": DeploymentSize(2, 3, 2, arm=True),
}


def cost(traffic: Traffic, environment: str, prices: Prices) -> list[CostItem]:
    """Return the costs of a month, fixed ones first."""
    size = SIZES[environment]
    return [
        *_fixed(size, environment, prices),
        *_storage(traffic, size, prices),
        *_events(traffic, size, prices),
        *_people(traffic, size, prices),
    ]


def _fixed(size: DeploymentSize, environment: str, prices: Prices) -> Iterator[CostItem]:
    broker = getattr(prices, f"broker_hour_{environment}")
    disk = getattr(prices, f"broker_disk_{environment}")
    database = getattr(prices, f"database_hour_{environment}")
    gb_second = _gb_second(size, prices)
    yield _product("NAT gateways", (size.zones, HOURS, prices.nat_hour))
    yield _product("public IPv4 addresses", (size.zones, HOURS, prices.public_ipv4_hour))
    yield _product("broker", (size.broker_nodes, HOURS, broker))
    yield _product("broker storage, GB", (size.broker_nodes, disk, prices.broker_gb))
    yield _product("database", (size.database_zones, HOURS, database))
    yield _product("metrics", (_METRICS, prices.metric))
    yield _product("alarms, by their metrics", (ALARM_METRICS, prices.alarm_metric))
    yield _product("composite alarms", (COMPOSITE_ALARMS, prices.composite_alarm))
    yield _product("secrets", (_SECRETS, prices.secret))
    yield CostItem("dashboard", "", prices.dashboard)
    yield _product("dispatcher, housekeeping", (2, _MINUTES, _RUN_SECONDS, gb_second))


def _storage(traffic: Traffic, size: DeploymentSize, prices: Prices) -> Iterator[CostItem]:
    kept = (
        traffic.events * _SECONDS_PER_DAY * _MESSAGE_DAYS * _MESSAGE_ROW_KB
        + traffic.frames * _SECONDS_PER_DAY * _NOTIFICATION_DAYS * _NOTIFICATION_ROW_KB
        + traffic.devices * _DEVICE_ROW_KB
        + traffic.users * _USER_ROW_KB
    )
    gigabytes = max(_SMALLEST_DATABASE_GB, kept / _KB_PER_GB)
    name = "database storage, GB (messages 30 days, notifications 90)"
    yield _product(name, (size.database_zones, gigabytes, prices.database_gb))


def _events(traffic: Traffic, size: DeploymentSize, prices: Prices) -> Iterator[CostItem]:
    invocations = min(traffic.events, _QUEUES * _BATCHES_PER_SECOND)
    seconds = invocations * _BATCH_SECONDS + traffic.events * _MESSAGE_SECONDS
    busy = min(1.0, traffic.frames / _DISPATCHER_BUSY_FROM)
    logged = (
        traffic.events * _LOG_KB_PER_MESSAGE
        + (invocations + traffic.requests) * _LOG_KB_PER_INVOCATION
        + traffic.frames * _LOG_KB_PER_DELIVERY
    )
    gb_second = _gb_second(size, prices)
    per_request = prices.lambda_million_requests / _MILLION
    yield _product("event functions, invocations", (invocations, SECONDS, per_request))
    yield _product("event functions, GB-seconds", (seconds, SECONDS, gb_second))
    yield _product("dispatcher while it sends, GB-seconds", (busy, SECONDS, gb_second))
    yield _product("logs, GB", (logged * SECONDS / _KB_PER_GB, prices.log_gb))
    carried = traffic.events * _NETWORK_KB_PER_MESSAGE * SECONDS / _KB_PER_GB
    yield _product("NAT, GB", (carried, prices.nat_gb))
    write = prices.dynamodb_million_writes / _MILLION
    payments = traffic.events * PAYMENT_EVENTS / _QUEUES
    yield _product("DynamoDB writes, payments", (payments, SECONDS, _WRITES_PER_PAYMENT, write))
    if size.zones > 1:
        yield _product("traffic between zones, GB", (carried, 2 * prices.zone_gb))


def _people(traffic: Traffic, size: DeploymentSize, prices: Prices) -> Iterator[CostItem]:
    messages = prices.websocket_million_messages / _MILLION
    minutes = prices.websocket_million_minutes / _MILLION
    half_unit = prices.dynamodb_million_reads / 2 / _MILLION  # an eventually consistent query
    request = (prices.http_million_requests + prices.lambda_million_requests) / _MILLION
    gb_second = _gb_second(size, prices)
    yield _product("WebSocket messages", (traffic.frames, SECONDS, messages))
    yield _product("DynamoDB query per push", (traffic.frames, SECONDS, half_unit))
    yield _product("WebSocket connection minutes", (traffic.users, _MINUTES, minutes))
    connections = traffic.users * HOURS * _CONNECTIONS_AN_HOUR
    kept_alive = traffic.users * HOURS * _KEEP_ALIVES_AN_HOUR
    written = connections * (TICKET_WRITES + CONNECTION_WRITES) + kept_alive
    write = prices.dynamodb_million_writes / _MILLION
    per_message = messages + prices.lambda_million_requests / _MILLION
    yield _product("WebSocket keep-alives and their invocations", (kept_alive, per_message))
    yield _product("DynamoDB writes, tickets and connections", (written, write))
    yield _product("HTTP API and its invocations", (traffic.requests, SECONDS, request))
    gb_seconds = traffic.requests * _REQUEST_SECONDS * API_MB / _MB_PER_GB
    yield _product("allocation-api, GB-seconds", (gb_seconds, SECONDS, gb_second))
    yield _product("e-mails (SES)", (traffic.emails, prices.thousand_emails / 1000))
    yield _product("text messages (SNS, to the US)", (traffic.texts, prices.text_message))


def _gb_second(size: DeploymentSize, prices: Prices) -> float:
    return prices.lambda_gb_second_arm if size.arm else prices.lambda_gb_second_x86


def _product(name: str, factors: tuple[float, ...]) -> CostItem:
    dollars = 1.0
    for factor in factors:
        dollars *= factor
    return CostItem(name, " × ".join(f"{factor:,.8g}" for factor in factors), dollars)
