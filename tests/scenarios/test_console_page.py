"""The console page of ``make run`` in a real browser."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pika
import pytest
from playwright.sync_api import expect, sync_playwright

from local.servers.programs import require_program
from scheduler.messaging.topology import EVENTS_EXCHANGE, WORK_QUEUES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from local.paths import StateDir

_EXPECT_TIMEOUT_MS: Final = 30_000
_OPTIONS: Final = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_MARKUP: Final = "<img src=x onerror=document.title='broken'> went dark"


DEVICE: Final = {"id": "d1", "name": "d1", "status": "available", "health": "running"}


def publish_raw(state: StateDir, body: bytes) -> None:
    """Publish a body that is not an event."""
    url = json.loads(state.endpoints.read_text("utf-8"))["amqp"]
    with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        connection.channel().basic_publish(EVENTS_EXCHANGE, "device.failed", body)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=_EXPECT_TIMEOUT_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=require_program("chromium"), args=_OPTIONS
        )
        yield chromium
        chromium.close()


@pytest.fixture
def console(browser: Browser, local_platform: StateDir) -> Iterator[Page]:
    """The page in its own window; the test fails if the page has logged an error."""
    errors: list[str] = []
    with browser.new_context(locale="en-GB") as window:
        page = window.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.goto(json.loads(local_platform.endpoints.read_text("utf-8"))["console"])
        expect(page.locator("#live")).to_have_class("good")
        yield page
    # Chromium also logs responses of 4xx, which the page shows itself.
    assert not [said for said in errors if "status of 4" not in said]


def test_user_allocates_a_device_and_is_notified_when_it_fails(console: Page) -> None:
    console.get_by_label("User ID").fill("newcomer")
    console.get_by_label("User ID").blur()
    # Until then the page shows the allocations of the previous user.
    expect(console.locator("#facts")).to_contain_text("This user does not exist yet")
    console.get_by_role("button", name="Allocate a device").click()
    allocation = console.locator("#allocations tr", has=console.get_by_role("button"))
    expect(allocation).to_have_count(1)
    device = allocation.locator("td").nth(1).inner_text()

    console.locator("#event").select_option("device.failed")
    console.locator("[name=deviceId]").fill(device)
    console.locator("[name=reason]").fill(_MARKUP)
    console.get_by_role("button", name="Publish").click()

    expect(console.locator("#publish-result")).to_contain_text("Published")
    expect(allocation).to_have_count(0)
    expect(console.locator("#devices tr", has_text=device)).to_contain_text("failed")
    expect(console.locator("#notifications")).to_contain_text(_MARKUP)
    expect(console.locator("#outcomes tr", has_text="device.failed")).to_contain_text("success")
    expect(console).to_have_title("CloudPhone Scheduler – console")


def test_form_shows_why_an_event_is_invalid(console: Page) -> None:
    console.locator("#event").select_option("billing.overdue")
    console.locator("[name=overdueAmount]").fill("much")
    console.get_by_role("button", name="Publish").click()

    expect(console.locator("#publish-result")).to_contain_text("overdueAmount")


def test_dead_letters_are_listed_shown_and_replayed(
    console: Page, local_platform: StateDir
) -> None:
    for _ in range(50):
        publish_raw(local_platform, b'{"deviceId": ')
    group = console.locator("#letters tr", has_text="body is not JSON")
    expect(group.locator("td").nth(2)).to_have_text("50")
    expect(console.locator("#flow li.bad")).to_contain_text("50")

    group.get_by_role("button", name="Show").click()
    expect(console.locator("#letter")).to_contain_text('"x-error"')

    console.on("dialog", lambda dialog: dialog.accept())
    group.get_by_role("button", name="Replay").click()
    expect(console.locator("#letters-result")).to_contain_text("Replayed 50 of 50")


def test_each_queue_is_shown_with_its_depth(console: Page) -> None:
    expect(console.locator("#queues tr")).to_have_count(len(WORK_QUEUES) + 2)
    expect(console.locator("#health .badge.good")).to_have_count(5)


def test_more_devices_than_shown_are_not_hidden(console: Page) -> None:
    console.route(
        "**/api/devices?limit=200",
        lambda route: route.fulfill(json={"items": [DEVICE], "nextCursor": "more"}),
    )

    expect(console.locator("#device-summary")).to_contain_text("The first 1 devices")


def test_server_that_hangs_is_shown_as_not_answering(console: Page) -> None:
    console.route("**/console/operations/queues", lambda _: None)

    expect(console.locator("#live")).to_have_text("Not live: no answer within 4 s")
    expect(console.locator("[data-panel=queues] .stale")).to_contain_text("no answer within 4 s")

    console.unroute("**/console/operations/queues")
    expect(console.locator("#live")).to_have_text("Live")


def test_focus_survives_a_refresh(console: Page) -> None:
    button = console.locator("#user")
    button.focus()
    updated = console.locator("#updated").inner_text()

    expect(console.locator("#updated")).not_to_have_text(updated)
    expect(button).to_be_focused()


def test_page_is_shown_in_chinese(console: Page) -> None:
    console.get_by_role("button", name="中文").click()

    expect(console.locator("#devices-title")).to_have_text("设备")
    expect(console.locator("#letters-title")).to_have_text("死信")
    expect(console.locator("html")).to_have_attribute("lang", "zh-CN")
    console.get_by_role("button", name="English").click()
    console.reload()
    expect(console.locator("#devices-title")).to_have_text("Devices")


@pytest.mark.parametrize("width", [360, 800, 1600])
def test_page_fits_the_window(console: Page, width: int) -> None:
    console.set_viewport_size({"width": width, "height": 800})

    expect(console.get_by_role("heading", name="Devices")).to_be_visible()
    assert console.evaluate("document.documentElement.scrollWidth") <= width
