"""A console over real servers, and a page of it in Chromium that must not log any error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.integration.console.deployment import Deployment, served, with_token
from tests.support.browser import chromium, window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from local.servers.rabbitmq import RabbitMQ


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
