"""Starts the platform: its servers, then what needs them, each part in its order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pika

from local import LocalError, aws, demo_data, ports
from local.environment import function_environment, websocket_environment
from local.event_source_mapping import run_mappings
from local.gateway import start_gateway
from local.operations import start_operations
from local.schedules import run_schedules
from local.servers.mariadb import MariaDB
from local.servers.moto import Moto
from local.servers.rabbitmq import RabbitMQ, RabbitPorts
from local.servers.server import Server
from local.websocket import start_websocket
from ops.console.access import address
from scheduler.database.migrate import migrate
from scheduler.messaging.declaration import TopologyConflictError, declare
from scheduler.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import ExitStack

    from local.event_source_mapping.mapping import Batching
    from local.paths import StateDir
    from local.ports import PortPlan
    from local.progress import ProgressDisplay
    from local.servers.existing import ExistingServers
    from local.servers.server import OnSpawn


@dataclass(frozen=True, slots=True)
class Startup:
    """The settings and helpers of one start.

    Attributes:
        on_spawn: called with the id of each server process.
        stack: stops what was started, in reverse order, when it is closed.
        shards: queues per event.
    """

    existing: ExistingServers
    state: StateDir
    ports: PortPlan
    on_spawn: OnSpawn
    display: ProgressDisplay
    stack: ExitStack
    batching: Batching
    shards: int

    def on_stop(self, what: str, stop: Callable[[], object]) -> None:
        """Call ``stop``, shown as a step, when the platform stops."""
        self.stack.callback(self._stop, what, stop)

    def _stop(self, what: str, stop: Callable[[], object]) -> None:
        with self.display.cleanup_step(f"Stopping {what}"):
            stop()


@dataclass(frozen=True, slots=True)
class PlatformServers:
    """The addresses of the servers; ``private`` are those that this platform started."""

    database_url: str
    broker_url: str
    management_url: str | None
    aws_url: str
    private: tuple[Server, ...]


@dataclass(frozen=True, slots=True)
class RunningPlatform:
    """A platform that is ready: its servers, and the content of ``endpoints.json``."""

    servers: PlatformServers
    endpoints: dict[str, Any]


def start_platform(startup: Startup) -> RunningPlatform:
    """Start everything.

    Raises:
        LocalError: a server did not start.
        CancelledError: the user asked to stop meanwhile.
    """
    display, state = startup.display, startup.state
    servers = _start_servers(startup)
    _prepare(servers, display, startup.shards)
    # Chosen late: another program may take a port until it is bound.
    api = startup.ports.choose("HTTP API", ports.API)
    websocket = startup.ports.choose("WebSocket", ports.WEBSOCKET)
    console = startup.ports.choose("console page", ports.CONSOLE)
    operations = startup.ports.choose("operations", ports.OPERATIONS)
    environment = {
        **function_environment(servers.database_url, servers.broker_url, servers.aws_url),
        **websocket_environment(websocket),
        "SHARDS": str(startup.shards),
        "BROKER_MANAGEMENT_URL": servers.management_url or "",
    }
    logs = state.logs / "functions"
    with display.step("Starting WebSocket API"):
        startup.on_stop("WebSocket API", start_websocket(websocket, environment, logs).stop)
    with display.step("Starting event source mappings and schedules"):
        startup.on_stop("schedules", run_schedules(environment, logs).stop)
        mappings = run_mappings(
            servers.broker_url,
            environment,
            logs,
            batching=startup.batching,
            shards=startup.shards,
        )
        startup.on_stop("event source mappings", mappings.stop)
    with display.step("Starting HTTP API and console page"):
        gateway = start_gateway(api, console, environment, state.path)
        startup.on_stop("HTTP API and console page", gateway.stop)
    with display.step("Starting the operators' function"):
        function = start_operations(operations, environment, logs)
        startup.on_stop("the operators' function", function.stop)
    page = address(f"http://{ports.HOST}:{console}", gateway.console_token)
    addresses = _endpoints(servers, api, websocket, page, gateway.tokens)
    more = {
        "shards": startup.shards,
        "operations": function.endpoint(),
        "payment_failures_table": environment["PAYMENT_FAILURES_TABLE"],
    }
    return RunningPlatform(servers, {**addresses, **more})


def prepare_again(server: Server) -> None:
    """Prepare a server that was started again: AWS is kept in memory only."""
    if isinstance(server, Moto):
        aws.create_resources(server.url)


def _start_servers(startup: Startup) -> PlatformServers:
    existing, private = startup.existing, list[Server]()
    aws_server = _moto(startup)
    private.append(aws_server)
    database_url, broker_url = existing.database_url, existing.broker_url
    management_url = None
    if database_url is None:
        database = _mariadb(startup)
        database_url = database.url
        private.append(database)
    if broker_url is None:
        broker = _rabbitmq(startup)
        broker_url, management_url = broker.url, broker.management_url
        private.append(broker)
    _start_in_parallel(private, startup)
    return PlatformServers(database_url, broker_url, management_url, aws_server.url, tuple(private))


def _moto(startup: Startup) -> Moto:
    port = startup.ports.choose("AWS", ports.AWS)
    return Moto(startup.state.path / "aws", startup.state.logs, port, startup.on_spawn)


def _mariadb(startup: Startup) -> MariaDB:
    port = startup.ports.choose("MariaDB", ports.DATABASE)
    home = startup.state.path / "mariadb"
    return MariaDB(home, startup.state.logs, port, on_spawn=startup.on_spawn)


def _rabbitmq(startup: Startup) -> RabbitMQ:
    home, plan = startup.state.path / "rabbitmq", startup.ports
    rabbit_ports = RabbitPorts(
        amqp=plan.choose("RabbitMQ", ports.AMQP),
        management=plan.choose("RabbitMQ management", ports.RABBITMQ_MANAGEMENT),
        epmd=plan.choose("epmd", ports.EPMD),
        distribution=plan.choose("Erlang distribution", ports.ERLANG_DISTRIBUTION),
    )
    return RabbitMQ(home, startup.state.logs, rabbit_ports, startup.on_spawn)


def _start_in_parallel(servers: Iterable[Server], startup: Startup) -> None:
    def start_one(server: Server) -> None:
        with startup.display.step(f"Starting {server.name}"):
            server.start()

    with ThreadPoolExecutor() as pool:
        starting = []
        for server in servers:
            startup.on_stop(server.name, server.stop)
            starting.append(pool.submit(start_one, server))
    for result in starting:
        result.result()


def _prepare(servers: PlatformServers, display: ProgressDisplay, shards: int) -> None:
    database = DatabaseSettings.model_validate({"DATABASE_URL": servers.database_url})
    with display.step("Migrating the database"):
        migrate(database)
    with display.step("Declaring exchanges and queues"):
        _declare(servers.broker_url, shards)
    with display.step("Creating AWS resources"):
        aws.create_resources(servers.aws_url)
    with display.step("Adding demo data"):
        demo_data.seed(database)


def _declare(broker_url: str, shards: int) -> None:
    try:
        with pika.BlockingConnection(pika.URLParameters(broker_url)) as connection:
            declare(connection.channel(), shards=shards)
    except TopologyConflictError as error:
        raise LocalError(f"RABBITMQ_URL: {error}") from None


def _endpoints(
    servers: PlatformServers, api: int, websocket: int, page: str, tokens: dict[str, str]
) -> dict[str, Any]:
    found = {
        "api": f"http://{ports.HOST}:{api}",
        "websocket": f"ws://{ports.HOST}:{websocket}",
        "console": page,
        "amqp": servers.broker_url,
        "rabbitmq_management": servers.management_url,
        "database": servers.database_url,
        "aws": servers.aws_url,
        "tokens": tokens,
    }
    return {key: value for key, value in found.items() if value is not None}
