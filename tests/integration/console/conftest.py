"""A console over real servers, and a page of it in Chromium that must not log any error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect, sync_playwright

from local.servers.programs import require_program
from tests.integration.console.deployment import Deployment, served, with_token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from local.servers.rabbitmq import RabbitMQ

_EXPECT_TIMEOUT_MS: Final = 30_000
_OPTIONS: Final = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")  # while it is open, no other test of the process may use asyncio
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=_EXPECT_TIMEOUT_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=require_program("chromium"), args=_OPTIONS
        )
        yield chromium
        chromium.close()


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
    errors: list[str] = []
    with browser.new_context(locale="en-GB") as window:
        shown = window.new_page()
        shown.on("pageerror", lambda error: errors.append(str(error)))
        shown.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        shown.goto(with_token(url))
        expect(shown.locator("#updated")).not_to_be_empty()
        yield shown
    # Chromium also logs responses of 4xx and 5xx, which the page shows itself.
    assert not [said for said in errors if "the server responded with a status" not in said]
