"""The console page of ``make run`` in a real browser; tests/integration/console has its panels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect, sync_playwright

from local.servers.programs import require_program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from local.paths import StateDir

_EXPECT_TIMEOUT_MS: Final = 30_000
_OPTIONS: Final = ("--disable-gpu", "--disable-background-networking", "--disable-component-update")
_MARKUP: Final = "<img src=x onerror=document.title='broken'> went dark"


@pytest.fixture
def console(local_platform: StateDir) -> Iterator[Page]:
    """The page in its own window; the test fails if the page has logged an error."""
    expect.set_options(timeout=_EXPECT_TIMEOUT_MS)
    errors: list[str] = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=require_program("chromium"), args=_OPTIONS
        )
        page = chromium.new_page(locale="en-GB")
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(json.loads(local_platform.endpoints.read_text("utf-8"))["console"])
        expect(page.locator("#live")).to_have_text("Live")
        yield page
        chromium.close()
    assert errors == []


def test_device_of_a_user_fails_and_the_event_is_followed(console: Page) -> None:
    console.evaluate("location.hash = '#/users/newcomer'")
    expect(console.get_by_text("This user does not exist yet.")).to_be_visible()
    console.get_by_role("button", name="Allocate a device").click()
    held = console.get_by_role("region", name="Active allocations").locator("tbody tr")
    expect(held.get_by_role("button", name="Release")).to_have_count(1)
    device = held.locator("td").first.inner_text()

    console.get_by_role("link", name="Publish").click()
    console.locator("form select").first.select_option("device.failed")
    console.locator("[name=deviceId]").fill(device)
    console.locator("[name=reason]").fill(_MARKUP)
    console.get_by_role("button", name="Publish device.failed").click()
    console.get_by_role("link", name="Follow it through the flow").click()

    expect(console.get_by_text("no app of the user is connected")).to_be_visible()
    expect(console.locator(".entries")).to_contain_text(_MARKUP)
    expect(console.locator(".flow .marked").first).to_be_visible()
    console.get_by_role("link", name="Pool").click()
    console.get_by_label("Search by the beginning of the id").fill(device)
    devices = console.get_by_role("region", name="Devices").locator("tbody tr")
    expect(devices).to_have_count(1)
    expect(devices).to_contain_text("failed")
    expect(console).to_have_title("CloudPhone Scheduler – console")


def test_form_shows_why_an_event_is_invalid(console: Page) -> None:
    console.get_by_role("link", name="Publish").click()
    console.locator("form select").first.select_option("billing.overdue")
    console.locator("[name=overdueAmount]").fill("much")
    console.get_by_role("button", name="Publish billing.overdue").click()

    expect(console.locator("output")).to_contain_text("overdueAmount")
