"""A console over real servers, and a page of it in Chromium that must not log any error."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.integration.console.deployment import Deployment, Switch, served, with_token
from tests.integration.console.recorder import Recorder, client_of
from tests.integration.ops.letters import Broker, letter
from tests.support.browser import chromium, window
from tests.support.world import held, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx
    from playwright.sync_api import Browser, Page
    from starlette.requests import Request

    from local.servers.rabbitmq import RabbitMQ
    from tests.support.store import Store

DEVICES: Final = 10_000
LETTERS: Final = 50
HOLDER: Final = "a-user-with-a-long-id-that-differs-at-its-end-0123456789"
MARKUP: Final = "<img src=x onerror=document.title='broken'>"
SENT: Final = {
    "mails": [{"to": "a@example.com", "subject": "Device released", "text": "It is dark"}],
    "sms": [{"to": "+8613800138000", "text": "It is dark"}],
    "totals": {"mails": 1, "sms": 1},
}


@pytest.fixture(scope="module")  # while it is open, no other test of the process may use asyncio
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def deployment(database_url: str, broker_url: str, aws_url: str, rabbitmq: RabbitMQ) -> Deployment:
    return Deployment(database_url, broker_url, aws_url, rabbitmq.management_url)


@pytest.fixture
def url(deployment: Deployment, tmp_path: Path) -> Iterator[str]:
    with served(deployment, tmp_path) as found:
        yield found


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    """The page in its own window; the test fails if the page has logged an error."""
    with window(browser, with_token(url)) as shown:
        expect(shown.locator("#updated")).not_to_be_empty()
        yield shown


@pytest.fixture
def operations() -> Recorder:
    return Recorder()


@pytest.fixture
def program(operations: Recorder, tmp_path: Path) -> Iterator[httpx.Client]:
    """A program instead of a page; the operations are only recorded."""
    with client_of(operations, tmp_path, allow_publish=True) as client:
        yield client


@pytest.fixture
def switch(deployment: Deployment) -> Switch:
    return Switch(deployment)


@pytest.fixture
def local_page(browser: Browser, switch: Switch, tmp_path: Path) -> Iterator[Page]:
    """The page of the local platform, which has all panels, on servers that can be taken away."""

    def messages(_request: Request) -> JSONResponse:
        return JSONResponse(SENT)

    routes = (Route("/console/messages", messages),)
    with (
        served(switch, tmp_path, allow_publish=True, is_local=True, routes=routes) as url,
        window(browser, with_token(url)) as shown,
    ):
        expect(shown.locator("#updated")).not_to_be_empty()
        yield shown


@pytest.fixture
def much(store: Store, broker_url: str) -> Broker:
    """10,000 devices, of which a user holds one, and 50 dead letters."""
    now = datetime.now(UTC)
    store.seed(world(held("d-00001", by=HOLDER, since=now - timedelta(minutes=1))))
    ids = [(f"d-{n:05}", f"Device {n}") for n in range(DEVICES) if n != 1]
    store.insert("devices", "id, name", ids)
    broker = Broker(broker_url)
    letters = [
        letter(id=f"m-{n}", error=f"LookupError: {MARKUP} {n}", deviceId=f"d-{n:05}")
        for n in range(LETTERS)
    ]
    broker.publish(*letters)
    return broker
