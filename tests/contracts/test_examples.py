"""The declarations compile, and the examples in TypeScript and Python publish.

`make test` installs the npm packages if there is npm.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from local.paths import ROOT
from scheduler.messaging.topology import VHOST
from tests.support.programs import CONTRACTS, NODE_BIN, needs_npm, require
from tests.support.published import is_published_well, taken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local.servers.rabbitmq import RabbitMQ


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": os.environ["PATH"], **environment}
    return subprocess.run(
        command,
        cwd=CONTRACTS,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def billing_url(rabbitmq: RabbitMQ, broker_url: str) -> Iterator[str]:
    """The URL of an account with the rights that docs/events.md gives to publishers."""
    page = (ROOT / "docs/events.md").read_text("utf-8")
    (rights,) = re.findall(r'`(\{"configure".*\})`', page)
    user = {"password": "secret", "tags": ""}
    for path, body in (("users", user), (f"permissions/{VHOST}", json.loads(rights))):
        url = f"{rabbitmq.management_url}/api/{path}/billing"
        httpx.put(url, json=body, timeout=30).raise_for_status()
    yield f"amqp://billing:secret@{broker_url.partition('@')[2]}"
    rabbitmq.delete_user("billing")


@needs_npm
def test_the_asyncapi_document_is_valid() -> None:
    require(NODE_BIN, "contracts")

    checked = run("node", "check/asyncapi.mjs")

    assert checked.stdout == "19 messages, 19 operations\n", checked.stdout + checked.stderr


@needs_npm
def test_examples_compile_and_publish_and_wrong_bodies_do_not_compile(
    broker_url: str, billing_url: str
) -> None:
    require(NODE_BIN, "contracts")

    compiled = run(NODE_BIN / "tsc", "--project", ".")
    assert compiled.returncode == 0, compiled.stdout

    amqplib = run("node", "build/examples/amqplib.js", AMQP_URL=billing_url)
    assert amqplib.returncode == 0, amqplib.stderr
    properties, body = taken(broker_url, "scheduler.device-failed")
    assert is_published_well(properties, amqplib.stdout, "device-001")
    assert body["reason"] == "Screen is dark"

    nestjs = run("node", "build/examples/nestjs-main.js", AMQP_URL=billing_url)
    assert nestjs.returncode == 0, nestjs.stderr
    properties, body = taken(broker_url, "scheduler.billing-overdue")
    assert is_published_well(properties, nestjs.stdout, "user-123")
    assert body == {"userId": "user-123", "overdueAmount": "150.50", "overdueDays": 7}


def test_the_python_example_publishes(broker_url: str, billing_url: str) -> None:
    published = run(sys.executable, "examples/publish.py", AMQP_URL=billing_url)

    assert published.returncode == 0, published.stderr
    properties, body = taken(broker_url, "scheduler.device-failed")
    assert is_published_well(properties, published.stdout, "device-001")
    assert body["deviceId"] == "device-001"


def test_an_event_is_published_again_under_its_own_id(broker_url: str) -> None:
    publish = runpy.run_path(str(CONTRACTS / "examples/publish.py"))["publish"]

    publish(broker_url, "device.deleted", {"deviceId": "device-001"}, "m-1")

    properties, _ = taken(broker_url, "scheduler.device-deleted")
    assert properties.message_id == "m-1"


@pytest.mark.parametrize("name", ["amqplib.ts", "nestjs.ts", "publish.go", "publish.py"])
def test_an_example_connects_to_our_virtual_host(name: str) -> None:
    assert f"amqp://localhost/{VHOST}" in (CONTRACTS / "examples" / name).read_text("utf-8")
