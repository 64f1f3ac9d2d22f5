"""The console page of ``make run`` in a real browser; tests/integration/console has its panels."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect

from tests.scenarios.platform import Platform
from tests.support.browser import chromium, window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

    from local.paths import StateDir

_MARKUP: Final = "<img src=x onerror=document.title='broken'> went dark"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def console(browser: Browser, local_platform: StateDir) -> Iterator[Page]:
    """The page in its own window; the test fails if the page has logged an error."""
    url = json.loads(local_platform.endpoints.read_text("utf-8"))["console"]
    with window(browser, url) as page:
        expect(page.locator("#live")).to_have_text("Live")
        yield page


def allocated(console: Page, user: str) -> str:
    """Allocate a device for a user on their page, and return its id."""
    console.evaluate("hash => { location.hash = hash }", f"#/users/{user}")
    console.get_by_role("button", name="Allocate a device").click()
    held = rows(console, "Active allocations")
    expect(held.get_by_role("button", name="Release")).to_have_count(1)
    return held.locator("td").first.inner_text()


def rows(console: Page, label: str) -> Locator:
    return console.get_by_role("region", name=label).locator("tbody tr")


def publish_failure(console: Page, device: str, reason: str) -> None:
    """Publish on the page that a device has failed, and follow the event."""
    console.get_by_role("link", name="Publish").click()
    console.locator("form select").first.select_option("device.failed")
    console.locator("[name=deviceId]").fill(device)
    console.locator("[name=reason]").fill(reason)
    console.get_by_role("button", name="Publish device.failed").click()
    console.get_by_role("link", name="Follow it through the flow").click()


def test_device_of_a_user_fails_and_the_event_is_followed(console: Page) -> None:
    console.evaluate("location.hash = '#/users/newcomer'")
    expect(console.get_by_text("This user does not exist yet.")).to_be_visible()
    device = allocated(console, "newcomer")

    publish_failure(console, device, _MARKUP)

    expect(console.get_by_text("no app of the user is connected")).to_be_visible()
    expect(console.locator(".entries")).to_contain_text(_MARKUP)
    expect(console.locator(".flow .marked").first).to_be_visible()
    console.get_by_role("link", name="Pool").click()
    console.get_by_label("Search by the beginning of the id").fill(device)
    devices = rows(console, "Devices")
    expect(devices).to_have_count(1)
    expect(devices).to_contain_text("failed")
    expect(console).to_have_title("CloudPhone Scheduler – console")


def test_event_is_followed_until_the_frame_has_arrived_at_the_user(
    console: Page, local_platform: StateDir
) -> None:
    device = allocated(console, "listener")
    with (
        closing(Platform(local_platform)) as platform,
        closing(platform.listen("listener")) as client,
    ):
        publish_failure(console, device, "Screen is dark")

        expect(console.get_by_text("The user's frame has arrived")).to_be_visible()
        expect(console.locator(".flow > .reached")).to_have_count(6)
        (frame,) = client.frames("device_released")
    assert "Screen is dark" in frame["message"]


def test_sent_messages_are_shown(console: Page, local_platform: StateDir) -> None:
    with closing(Platform(local_platform)) as platform:
        account = {"maxDevices": 1, "email": "reader@example.com"}
        platform.put("/api/users/reader", account)
        platform.publish("user.suspended", userId="reader", reason="Terms of use")

    console.get_by_role("link", name="Sent e-mail and SMS").click()
    mails = console.locator("[data-panel=mails-title] article")
    expect(mails.filter(has_text="reader@example.com")).to_have_count(1)


def test_form_shows_why_an_event_is_invalid(console: Page) -> None:
    console.get_by_role("link", name="Publish").click()
    console.locator("form select").first.select_option("billing.overdue")
    console.locator("[name=overdueAmount]").fill("much")
    console.get_by_role("button", name="Publish billing.overdue").click()

    expect(console.locator("output")).to_contain_text("overdueAmount")
