"""Database, broker and AWS: private ones, or those the environment names."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local import ports
from local.servers.mariadb import MariaDB
from local.servers.moto import Moto
from local.servers.rabbitmq import RabbitMQ, RabbitPorts
from local.servers.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.context import Context
    from local.ports import PortPlan


@dataclass(frozen=True, slots=True)
class Services:
    """Where the servers are, and which of them are ours."""

    database_url: str
    broker_url: str
    management_url: str | None
    aws_url: str
    private: tuple[Server, ...]

    def failure(self) -> str | None:
        """Return what happened when one of our servers ended by itself, else None."""
        return next(filter(None, (server.failure() for server in self.private)), None)


def start(context: Context) -> Services:
    """Start the private servers side by side.

    Raises:
        LocalError: one did not start.
    """
    given, private = context.given, list[Server]()
    aws = _aws(context)
    private.append(aws)
    database_url, broker_url, management_url = given.database_url, given.broker_url, None
    if database_url is None:
        database = _mariadb(context)
        database_url = database.url
        private.append(database)
    if broker_url is None:
        broker = _rabbitmq(context)
        broker_url, management_url = broker.url, broker.management_url
        private.append(broker)
    _start_all(private, context)
    return Services(database_url, broker_url, management_url, aws.url, tuple(private))


def _aws(context: Context) -> Moto:
    port = context.ports.choose("AWS", ports.AWS)
    return Moto(context.state.path / "aws", context.state.logs, port, context.on_spawn)


def _mariadb(context: Context) -> MariaDB:
    port = context.ports.choose("MariaDB", ports.DATABASE)
    home = context.state.path / "mariadb"
    return MariaDB(home, context.state.logs, port, on_spawn=context.on_spawn)


def _rabbitmq(context: Context) -> RabbitMQ:
    home = context.state.path / "rabbitmq"
    return RabbitMQ(home, context.state.logs, _rabbit_ports(context.ports), context.on_spawn)


def _rabbit_ports(plan: PortPlan) -> RabbitPorts:
    return RabbitPorts(
        amqp=plan.choose("RabbitMQ", ports.AMQP),
        management=plan.choose("RabbitMQ management", ports.RABBITMQ_MANAGEMENT),
        epmd=plan.choose("epmd", ports.EPMD),
        distribution=plan.choose("Erlang distribution", ports.ERLANG_DISTRIBUTION),
    )


def _start_all(servers: Iterable[Server], context: Context) -> None:
    def start_one(server: Server) -> None:
        with context.steps.step(f"Starting {server.name}"):
            server.start()

    with ThreadPoolExecutor() as pool:
        starting = []
        for server in servers:
            context.on_stop(server.name, server.stop)
            starting.append(pool.submit(start_one, server))
    for result in starting:
        result.result()
