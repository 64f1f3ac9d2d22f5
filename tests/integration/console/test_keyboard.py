"""The console by keyboard only: a button that was pressed keeps the focus, or hands it on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.integration.console.looking import rows, show

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture
def page(local_page: Page) -> Page:
    return local_page


@pytest.mark.usefixtures("much")
def test_pages_are_turned_to_the_last_and_back(page: Page) -> None:
    show(page, "pool")
    page.get_by_label("Search by the beginning of the id").fill("d-000")  # 100 of them
    after = page.get_by_role("button", name="Next: Devices")
    expect(rows(page, "Devices").last).to_contain_text("d-00049")
    after.focus()

    page.keyboard.press("Enter")

    expect(rows(page, "Devices").last).to_contain_text("d-00099")
    expect(after).to_be_disabled()
    expect(after).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(rows(page, "Devices").last).to_contain_text("d-00049")
    expect(page.get_by_role("button", name="Back: Devices")).to_be_focused()


def test_event_is_published_and_published_again(page: Page) -> None:
    show(page, "publish")
    button = page.get_by_role("button", name="Publish device.failed")
    button.focus()
    for _ in range(2):
        page.keyboard.press("Enter")
        expect(page.locator("output")).to_contain_text("Published with the message id")
        expect(button).to_be_enabled()
        expect(button).to_be_focused()

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.locator("nav a[aria-current=page]")).to_have_text("Follow a message")


@pytest.mark.usefixtures("much")
def test_result_has_the_focus_when_the_row_of_the_button_has_gone(page: Page) -> None:
    show(page, "letters")
    group = rows(page, "Dead letters by group")
    group.get_by_role("button", name="Replay").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(group).to_contain_text("No dead letters")
    result = page.locator("[data-panel=groups-title] output")
    expect(result).to_contain_text("Replayed 50 of 50")
    expect(result).to_be_focused()
