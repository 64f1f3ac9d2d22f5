"""The platform from its servers up, in the order in which its parts need each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pika

from local import aws, demo_data, ports, services
from local.environment import function_environment, websocket_environment
from local.event_source_mapping import run_mappings
from local.gateway import start_gateway
from local.schedules import run_schedules
from local.websocket import start_websocket
from scheduler.database.migrate import migrate
from scheduler.messaging.declaration import declare
from scheduler.settings import DatabaseSettings

if TYPE_CHECKING:
    from local.context import Context
    from local.progress import Steps
    from local.services import Services


@dataclass(frozen=True, slots=True)
class Running:
    """A platform that is up: its servers, and the content of ``endpoints.json``."""

    services: Services
    endpoints: dict[str, Any]


def start(context: Context) -> Running:
    """Bring everything up.

    Raises:
        LocalError: a server did not start.
        CancelledError: the user asked to stop meanwhile.
    """
    steps, state = context.steps, context.state
    servers = services.start(context)
    _prepare(servers, steps, context.shards)
    # Chosen only now: until a port is bound another program may take it.
    api = context.ports.choose("HTTP API", ports.API)
    websocket = context.ports.choose("WebSocket", ports.WEBSOCKET)
    console = context.ports.choose("console page", ports.CONSOLE)
    environment = {
        **function_environment(servers.database_url, servers.broker_url, servers.aws_url),
        **websocket_environment(websocket),
        "SHARDS": str(context.shards),
    }
    logs = state.logs / "functions"
    with steps.step("Starting WebSocket API"):
        context.on_stop("WebSocket API", start_websocket(websocket, environment, logs).stop)
    with steps.step("Starting event source mappings and schedules"):
        context.on_stop("schedules", run_schedules(environment, logs).stop)
        mappings = run_mappings(
            servers.broker_url,
            environment,
            logs,
            batching=context.batching,
            shards=context.shards,
        )
        context.on_stop("event source mappings", mappings.stop)
    with steps.step("Starting HTTP API and console page"):
        gateway = start_gateway(api, console, environment, state.path)
        context.on_stop("HTTP API and console page", gateway.stop)
    addresses = _endpoints(servers, api, websocket, console, gateway.tokens)
    return Running(servers, {**addresses, "shards": context.shards})


def _prepare(servers: Services, steps: Steps, shards: int) -> None:
    database = DatabaseSettings.model_validate({"DATABASE_URL": servers.database_url})
    with steps.step("Bringing the database schema up to date"):
        migrate(database)
    with steps.step("Declaring exchanges and queues"):
        _declare(servers.broker_url, shards)
    with steps.step("Creating AWS resources"):
        aws.create_resources(servers.aws_url)
    with steps.step("Adding demo data"):
        demo_data.seed(database)


def _declare(broker_url: str, shards: int) -> None:
    with pika.BlockingConnection(pika.URLParameters(broker_url)) as connection:
        declare(connection.channel(), shards=shards)


def _endpoints(
    servers: Services, api: int, websocket: int, console: int, tokens: dict[str, str]
) -> dict[str, Any]:
    found = {
        "api": f"http://{ports.HOST}:{api}",
        "websocket": f"ws://{ports.HOST}:{websocket}",
        "console": f"http://{ports.HOST}:{console}",
        "amqp": servers.broker_url,
        "rabbitmq_management": servers.management_url,
        "database": servers.database_url,
        "aws": servers.aws_url,
        "tokens": tokens,
    }
    return {key: value for key, value in found.items() if value is not None}
