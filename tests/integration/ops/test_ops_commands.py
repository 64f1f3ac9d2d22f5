"""The commands ``publish`` and ``token``, on the real broker."""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jwt
import pika
import pytest

from local.endpoints import write
from local.gateway.tokens import AUDIENCE, TokenIssuer
from local.paths import ROOT
from local.ports import free_port
from scheduler.messaging.topology import EVENTS_EXCHANGE, VHOST
from tests.integration.ops.running import run

if TYPE_CHECKING:
    from pathlib import Path

    from typer.testing import Result

FAILED = ("device.failed", "deviceId=device-001", "reason=Screen is dark")
QUEUE = "scheduler.device-failed"


def publish(broker_url: str, *arguments: str, stdin: str | None = None) -> Result:
    return run("publish", *arguments, "--broker-url", broker_url, stdin=stdin)


def received(broker_url: str, queue: str = QUEUE) -> list[tuple[Any, bytes]]:
    """Take all messages of a queue and return their properties and bodies."""
    found: list[tuple[Any, bytes]] = []
    with closing(pika.BlockingConnection(pika.URLParameters(broker_url))) as connection:
        channel = connection.channel()
        while True:
            method, properties, body = channel.basic_get(queue, auto_ack=True)
            if method is None:
                return found
            found.append((properties, body))


def test_published_event_is_in_the_queue_of_its_type(broker_url: str) -> None:
    result = publish(broker_url, *FAILED)

    assert result.exit_code == 0, result.output
    ((properties, raw),) = received(broker_url)
    body = json.loads(raw)
    assert body["deviceId"] == "device-001"
    assert body["reason"] == "Screen is dark"
    assert body["timestamp"].endswith("+00:00")
    assert properties.delivery_mode == 2
    assert properties.content_type == "application/json"
    assert properties.type == "device.failed"
    assert properties.timestamp
    assert properties.message_id in result.output


def test_several_messages_have_numbered_ids(broker_url: str) -> None:
    publish(broker_url, *FAILED, "--count", "3", "--id", "batch")

    ids = [properties.message_id for properties, _ in received(broker_url)]
    assert ids == ["batch-1", "batch-2", "batch-3"]


def test_id_may_have_255_bytes(broker_url: str) -> None:
    longest = "设" * 85

    publish(broker_url, *FAILED, "--id", longest)
    refused = publish(broker_url, *FAILED, "--id", longest, "--count", "2")

    assert [properties.message_id for properties, _ in received(broker_url)] == [longest]
    assert (refused.exit_code, "255 bytes" in refused.stderr) == (2, True)


def test_id_and_timestamp_are_as_given(broker_url: str) -> None:
    when = "2026-11-01T08:00:00+08:00"

    publish(broker_url, *FAILED, "--id", "one", "--timestamp", when)

    ((properties, raw),) = received(broker_url)
    assert properties.message_id == "one"
    assert json.loads(raw)["timestamp"] == when


def test_arguments_override_the_body_from_a_file(broker_url: str, tmp_path: Path) -> None:
    file = tmp_path / "body.json"
    file.write_text('{"deviceId": "device-002", "reason": "from the file"}')

    result = publish(broker_url, "device.failed", "reason=amended", "--file", str(file))

    assert result.exit_code == 0, result.output
    ((_, raw),) = received(broker_url)
    assert json.loads(raw)["deviceId"] == "device-002"
    assert json.loads(raw)["reason"] == "amended"


@pytest.mark.parametrize("raw", [(), ("--raw",)])
def test_file_that_consumers_repair_is_published(
    broker_url: str, tmp_path: Path, raw: tuple[str, ...]
) -> None:
    file = tmp_path / "body.json"
    file.write_bytes(b'\xef\xbb\xbf{"deviceId": "device-002", "reason": "signal\xe9"}')

    result = publish(broker_url, "device.failed", *raw, "--file", str(file))

    assert result.exit_code == 0, result.output
    ((_, body),) = received(broker_url)
    assert b'"reason": "signal\xe9"' in body


def test_raw_publishes_any_body_unchanged(broker_url: str) -> None:
    result = publish(broker_url, "device.failed", "--raw", "--file", "-", stdin="{not json")

    assert result.exit_code == 0, result.output
    assert [raw for _, raw in received(broker_url)] == [b"{not json"]


def test_json_output_has_the_message_ids(broker_url: str) -> None:
    result = publish(broker_url, *FAILED, "--id", "one", "--json")

    assert json.loads(result.stdout) == {"eventType": "device.failed", "messageIds": ["one"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("device.failed", "deviceId=d"), "reason: Field required"),
        (("device.faild",), "did you mean device.failed?"),
        (("device.failed", "deviceId"), "key=value"),
        ((*FAILED, "--timestamp", "yesterday"), "timestamp"),
        ((*FAILED, "--timestamp", "2026-11-01T08:00:00"), "timestamp"),
        (("device.failed", "--file", "-"), "not JSON"),
    ],
)
def test_invalid_event_is_not_published(
    broker_url: str, arguments: tuple[str, ...], said: str
) -> None:
    result = publish(broker_url, *arguments, stdin="{")

    assert result.exit_code == 2
    assert said in result.stderr
    assert not received(broker_url)


def test_event_that_no_queue_receives_is_an_error(broker_url: str) -> None:
    result = publish(broker_url, "no.event", "--raw")

    assert result.exit_code == 1
    assert "no queue of" in result.stderr
    assert "topology" in result.stderr


def test_broker_error_does_not_contain_the_password() -> None:
    port = free_port()

    result = publish(f"amqp://user:secret@127.0.0.1:{port}/{VHOST}", *FAILED)

    assert result.exit_code == 1
    assert f"cannot reach the broker at 127.0.0.1:{port}/{VHOST}" in result.stderr
    assert "(runbook: Broker away)" in result.stderr
    assert "refused" in result.stderr
    assert "secret" not in result.output + result.stderr


def test_error_says_that_the_login_was_refused(broker_url: str) -> None:
    url = urlsplit(broker_url)
    wrong = url._replace(netloc=f"user:wrong@127.0.0.1:{url.port}").geturl()

    result = publish(wrong, *FAILED, "--json")

    assert result.exit_code == 1
    assert "refused the user name or password" in json.loads(result.stderr)["error"]


def test_url_that_is_not_amqp_is_refused() -> None:
    result = publish("http://127.0.0.1/", *FAILED)

    assert result.exit_code == 2
    assert "amqps://" in result.stderr


def test_default_broker_is_that_of_the_local_platform(broker_url: str, state_dir: Path) -> None:
    write(state_dir / "endpoints.json", {"amqp": broker_url})

    assert run("publish", *FAILED).exit_code == 0
    assert len(received(broker_url)) == 1


def test_error_without_platform_and_url_names_the_fix() -> None:
    result = run("publish", *FAILED)

    assert result.exit_code == 1
    assert "make run" in result.stderr
    assert "--broker-url" in result.stderr


def test_error_says_that_a_queue_is_full(broker_url: str) -> None:
    with closing(pika.BlockingConnection(pika.URLParameters(broker_url))) as connection:
        channel = connection.channel()
        limits = {"x-max-length": 1, "x-overflow": "reject-publish"}
        channel.queue_declare("full", exclusive=True, arguments=limits)
        channel.queue_bind("full", EVENTS_EXCHANGE, "full.event")

        results = [publish(broker_url, "full.event", "--raw", "--count", "1") for _ in range(2)]

    assert [result.exit_code for result in results] == [0, 1]
    assert "a queue is full" in results[1].stderr


@pytest.mark.parametrize("admin", [True, False])
def test_token_is_accepted_by_the_local_platform(state_dir: Path, *, admin: bool) -> None:
    result = run("token", "user-123", *(["--admin"] if admin else []), "--hours", "1")

    key = TokenIssuer.of(state_dir).key.public_key()
    claims = jwt.decode(result.stdout.strip(), key, ["RS256"], audience=AUDIENCE)
    assert claims["sub"] == "user-123"
    assert claims["exp"] - claims["iat"] == 3600
    assert ("cloudphone:admin" in claims["cognito:groups"]) is admin


@pytest.mark.parametrize("user", ["", "a/b", "u" * 65])
def test_no_token_is_made_for_an_id_that_the_api_refuses(user: str) -> None:
    result = run("token", user)

    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("arguments", [[], ["publish"], ["token"]])
def test_commands_have_help(arguments: list[str]) -> None:
    result = run(*arguments, "--help")

    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_error_without_an_environment_names_the_fix(tmp_path: Path) -> None:
    script = shutil.copy(ROOT / "bin" / "scheduler-ops", tmp_path)

    result = subprocess.run([script, "--help"], capture_output=True, text=True, check=False)

    assert result.returncode == 1
    assert ".venv is missing" in result.stderr
    assert "make up" in result.stderr
    assert "uvx --from" in result.stderr
