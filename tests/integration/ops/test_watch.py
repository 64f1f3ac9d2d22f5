"""``watch``: the depths of the queues and the outcomes of messages."""

from __future__ import annotations

import json
import signal
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pika
import pytest
from starlette.applications import Starlette

from local.endpoints import write
from local.gateway.api_app import metrics_route
from local.gateway.metrics import EmfCollector
from local.gateway.server import AsgiServer
from local.ports import free_port
from operations.queues import age_of, managed_queues, published_lately
from scheduler.messaging.outbound import OutboundMessage
from scheduler.messaging.topology import DEAD_LETTER_QUEUE, VHOST, queues
from scheduler.observability.emf import Metrics
from tests.integration.local.proxy import Proxy
from tests.integration.ops.letters import Broker, letter
from tests.integration.ops.running import run, start
from tests.support.together import DEADLINE_SECONDS, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.servers.rabbitmq import RabbitMQ

FAILED = "scheduler.device-failed"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[str]:
    """The URL of an API that serves metrics."""
    metrics = Metrics()
    metrics.add("scheduler_event_consumed_total", 7, event_type="device.failed", status="success")
    (document,) = metrics.documents(datetime.now(UTC))
    (tmp_path / "device.log").write_text(f"{json.dumps(document)}\n", encoding="utf-8")
    port = free_port()
    server = AsgiServer(Starlette(routes=[metrics_route(EmfCollector(tmp_path))]), port)
    yield f"http://127.0.0.1:{port}"
    server.stop()


def look(*options: str) -> Any:  # noqa: ANN401 - any JSON
    result = run("watch", "--once", "--json", *options)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_every_queue_is_counted(broker: Broker) -> None:
    broker.publish(letter(), letter(), OutboundMessage("", FAILED, b"{}", {}))

    seen = look("--broker-url", broker.url)

    assert set(seen["queues"]) == {queue.name for queue in queues()}
    assert seen["queues"][DEAD_LETTER_QUEUE] == {"ready": 2, "unacked": None, "consumers": 0}
    assert seen["queues"][FAILED]["ready"] == 1
    assert seen["outcomes"] is None


def test_unacknowledged_messages_and_outcomes_come_from_the_local_platform(
    broker: Broker, rabbitmq: RabbitMQ, api: str, state_dir: Path
) -> None:
    management = rabbitmq.management_url
    places = {"amqp": broker.url, "rabbitmq_management": management, "api": api}
    write(state_dir / "endpoints.json", places)
    broker.publish(OutboundMessage("", FAILED, b"{}", {}))

    with closing(pika.BlockingConnection(pika.URLParameters(broker.url))) as connection:
        connection.channel().basic_get(FAILED)
        eventually(
            lambda: managed_queues(management, VHOST)[FAILED].get("messages_unacknowledged") == 1,
            "one unacknowledged message",
        )
        seen = look()

    assert seen["queues"][FAILED]["ready"] == 0
    assert seen["outcomes"] == {"device.failed": {"success": 7}}
    (row,) = [
        line for line in run("watch", "--once").stdout.splitlines() if "device.failed" in line
    ]
    assert row.split()[-7:] == ["7", *"000000"]


def test_age_of_waiting_messages_is_known_from_the_statistics_of_the_broker(
    broker: Broker, rabbitmq: RabbitMQ, state_dir: Path
) -> None:
    places = {"amqp": broker.url, "rabbitmq_management": rabbitmq.management_url}
    write(state_dir / "endpoints.json", places)
    broker.publish(OutboundMessage("", FAILED, b"{}", {}))

    eventually(lambda: "ageSeconds" in look()["queues"][FAILED], "a sample of the depth")

    assert look()["queues"][FAILED]["ageSeconds"] < 60
    assert "ageSeconds" not in look()["queues"][DEAD_LETTER_QUEUE]  # it is empty


@pytest.mark.parametrize(
    ("newest_first", "seconds"), [([3, 2, 1, 0], 120), ([0, 5], 0), ([1, 1], 60), ([], None)]
)
def test_age_is_the_time_since_the_queue_was_last_empty(
    newest_first: list[int], seconds: int | None
) -> None:
    now = 1_800_000_000_000
    samples = [
        {"sample": depth, "timestamp": now - 60_000 * minute}
        for minute, depth in enumerate(newest_first)
    ]

    assert age_of({"messages_ready_details": {"samples": samples}}) == seconds


@pytest.mark.parametrize(("samples", "messages"), [([3, 9, 3], 6), ([4], 0), ([], None)])
def test_messages_of_the_last_minute_are_the_growth_of_their_number(
    samples: list[int], messages: int | None
) -> None:
    stats = {"publish_details": {"samples": [{"sample": number} for number in samples]}}

    assert published_lately(stats) == messages


def test_endpoints_that_do_not_respond_are_left_out(broker: Broker, state_dir: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    places = {"amqp": broker.url, "rabbitmq_management": nowhere, "api": nowhere}
    write(state_dir / "endpoints.json", places)

    seen = look()

    assert seen["outcomes"] is None
    assert seen["queues"][FAILED] == {"ready": 0, "unacked": None, "consumers": 0}


def test_missing_queue_is_shown(rabbitmq: RabbitMQ) -> None:
    url = rabbitmq.create_vhost("bare")

    assert set(look("--broker-url", url)["queues"].values()) == {None}
    assert "missing" in run("watch", "--once", "--broker-url", url).stdout


@pytest.mark.parametrize("options", [("--once",), ("--once", "--json"), ("--json",)])
def test_json_and_once_fail_if_the_broker_cannot_be_reached(options: tuple[str, ...]) -> None:
    result = run("watch", *options, "--broker-url", f"amqp://127.0.0.1:{free_port()}/x")

    assert result.exit_code == 1
    assert "cannot reach the broker" in result.stderr


def test_table_shows_a_lost_connection_and_its_recovery(broker: Broker, tmp_path: Path) -> None:
    port = urlsplit(broker.url).port
    assert port
    screen = tmp_path / "screen"
    with closing(Proxy(port)) as proxy, screen.open("w") as terminal:
        watching = ("watch", "--interval", "0.1", "--broker-url", proxy.before(broker.url))
        with start(*watching, stdout=terminal, FORCE_COLOR="1") as process:
            eventually(lambda: "Dead letters" in screen.read_text(), "the first table")

            def cut() -> bool:
                proxy.cut()  # each update has a connection of its own
                return "retrying" in screen.read_text()

            eventually(cut, "the error")
            broken = len(screen.read_text())
            eventually(lambda: "Dead letters" in screen.read_text()[broken:], "a table again")
            process.send_signal(signal.SIGINT)
            try:
                assert process.wait(DEADLINE_SECONDS) == 0
            finally:
                process.kill()


def test_invalid_url_is_not_retried() -> None:
    result = run("watch", "--broker-url", "http://127.0.0.1/")

    assert result.exit_code == 2
    assert "amqps://" in result.stderr
