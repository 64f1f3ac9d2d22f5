"""The console page acts as an administrator, publishes events, and refuses other websites."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from local.aws import aws_client
from local.environment import SENDER
from local.gateway.console import console_app, event_forms, is_local
from local.gateway.metrics import EmfCollector
from local.gateway.server import AsgiServer
from local.ports import free_port
from operations.event_bodies import CONTRACTS
from ops.direct import DirectOperations
from tests.integration.ops.test_ops_commands import received

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

HOST = "127.0.0.1:30004"
ORIGIN = f"http://{HOST}"


async def echo_api(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with the path and the token that the API receives."""
    seen = {"path": scope["path"], "authorization": Headers(scope=scope).get("authorization")}
    await JSONResponse(seen)(scope, receive, send)


@contextmanager
def console(
    broker_url: str, log_dir: Path, aws_url: str = "http://127.0.0.1:1"
) -> Iterator[httpx.Client]:
    environment = {"BROKER_URL": broker_url, "AWS_ENDPOINT_URL": aws_url}
    operations = DirectOperations(broker_url)
    app = console_app(echo_api, lambda: "the-token", EmfCollector(log_dir), environment, operations)
    server = AsgiServer(app, 0)
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
        yield client
    server.stop()


@pytest.fixture
def page(tmp_path: Path) -> Iterator[httpx.Client]:
    with console(f"amqp://u:p@127.0.0.1:{free_port()}/cloudphone", tmp_path) as client:
        yield client


def test_page_loads_nothing_from_other_hosts(page: httpx.Client) -> None:
    response = page.get("/")

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "https://" not in response.text


def test_api_is_called_with_an_administrators_token(page: httpx.Client) -> None:
    response = page.get("/api/devices", headers={"authorization": "Bearer mine"})

    assert response.json() == {"path": "/api/devices", "authorization": "Bearer the-token"}


def test_every_event_has_a_form_with_initial_values() -> None:
    forms = event_forms()

    assert {form["eventType"] for form in forms} == set(CONTRACTS)
    for form in forms:
        assert all(field["value"] is not None for field in form["fields"] if field["required"])


def form_of(event_type: str) -> dict[str, Any]:
    (form,) = (form for form in event_forms() if form["eventType"] == event_type)
    values = {field["path"]: str(field["value"] or "") for field in form["fields"]}
    return {"eventType": event_type, "fields": values}


@pytest.mark.parametrize("event_type", CONTRACTS)
def test_form_with_its_initial_values_is_published(
    broker_url: str, tmp_path: Path, event_type: str
) -> None:
    with console(broker_url, tmp_path) as page:
        response = page.post("/console/publish", json=form_of(event_type))

    assert response.status_code == 200, response.text
    queue = "scheduler." + event_type.replace(".", "-").replace("_", "-")
    ((properties, raw),) = received(broker_url, queue)
    assert properties.message_id == response.json()["messageId"]
    assert "" not in json.loads(raw).values()


def test_error_names_the_invalid_field_of_a_form(page: httpx.Client) -> None:
    form = {"eventType": "device.failed", "fields": {"deviceId": "d", "reason": ""}}

    response = page.post("/console/publish", json=form)

    assert response.status_code == 422
    assert "reason" in response.json()["error"]


def test_error_says_that_the_broker_cannot_be_reached(page: httpx.Client) -> None:
    response = page.post("/console/publish", json=form_of("device.failed"))

    assert response.status_code == 502
    assert "cannot reach the broker" in response.json()["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": ORIGIN},
        {"origin": ORIGIN, "sec-fetch-site": "same-origin"},
        {"sec-fetch-site": "none"},
        {"host": "localhost:30004", "origin": "http://localhost:30004"},
    ],
)
def test_console_page_and_programs_are_allowed(headers: dict[str, str]) -> None:
    assert is_local(Headers({"host": HOST, **headers}))


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:8080"},
        {"origin": "http://localhost:30004"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"host": "rebound.example:30004"},
        {"host": "rebound.example:30004", "origin": "http://rebound.example:30004"},
        {"host": ""},
    ],
)
def test_other_website_is_refused(page: httpx.Client, headers: dict[str, str]) -> None:
    assert not is_local(Headers({"host": HOST, **headers}))
    assert page.get("/api/devices", headers=headers).status_code == 403
    assert page.post("/console/publish", headers=headers, json={}).status_code == 403
    assert page.post("/console/operations/queues", headers=headers, json={}).status_code == 403


def test_operation_returns_its_result(broker_url: str, tmp_path: Path) -> None:
    with console(broker_url, tmp_path) as client:
        response = client.post("/console/operations/dead-letters.list", json={})

    assert response.json()["total"] == 0


@pytest.mark.parametrize(
    ("name", "arguments", "status"),
    [("queues", {"shards": 0}, 422), ("no-such-operation", {}, 422), ("queues", {}, 502)],
)
def test_operation_that_fails_says_why(
    page: httpx.Client, name: str, arguments: dict[str, int], status: int
) -> None:
    response = page.post(f"/console/operations/{name}", json=arguments)

    assert response.status_code == status
    assert response.json()["error"]


def test_sent_messages_are_listed_newest_first(aws_url: str, tmp_path: Path) -> None:
    ses, sns = aws_client("sesv2", aws_url), aws_client("sns", aws_url)
    for number in ("1", "2"):
        ses.send_email(
            FromEmailAddress=SENDER,
            Destination={"ToAddresses": [f"user-{number}@example.com"]},
            Content={
                "Simple": {"Subject": {"Data": f"题 {number}"}, "Body": {"Html": {"Data": "<p>x"}}}
            },
        )
        sns.publish(PhoneNumber="+8613800138000", Message=f"文 {number}")

    with console("amqp://127.0.0.1:1/x", tmp_path, aws_url) as client:
        shown = client.get("/console/messages").json()

    assert shown == {
        "mails": [
            {"to": f"user-{number}@example.com", "subject": f"题 {number}", "html": "<p>x"}
            for number in ("2", "1")
        ],
        "sms": [{"to": "+8613800138000", "text": f"文 {number}"} for number in ("2", "1")],
    }
