"""The brake on the overview: an operator decides by keyboard, after a question."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.integration.console.deployment import Deployment, Switch
from tests.integration.console.looking import fact, serious

if TYPE_CHECKING:
    from playwright.sync_api import Page

BRAKE = "Mass-failure brake"


@pytest.fixture
def page(local_page: Page, switch: Switch) -> Page:
    """A page of a deployment whose brake is engaged."""
    switch.call("brake.engage", {})
    expect(fact(local_page, BRAKE)).to_have_text("engaged")
    return local_page


def test_brake_is_released_and_armed_by_keyboard(page: Page) -> None:
    buttons = page.get_by_role("group", name=BRAKE).get_by_role("button")
    expect(buttons).to_have_text(["Allow all releases for an hour", "Apply the limit again"])
    buttons.first.focus()
    page.keyboard.press("Enter")
    question = page.get_by_role("dialog", name="Allow all releases for an hour?")
    expect(question).to_contain_text("take them from their users")
    expect(question).to_contain_text("Held in the last minute: 0")
    expect(question.get_by_role("button", name="Cancel")).to_be_focused()
    assert serious(page) == []

    page.keyboard.press("Escape")
    expect(buttons.first).to_be_focused()
    expect(fact(page, BRAKE)).to_have_text("engaged")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(fact(page, BRAKE)).to_have_text("open")
    expect(page.locator("#live")).to_have_text("Live")
    result = page.locator("[data-panel=health-title] output")
    expect(result).to_contain_text("All releases are allowed until 20")
    expect(result).to_be_focused()  # its button is gone
    expect(buttons).to_have_text(["Apply the limit again"])

    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(fact(page, BRAKE)).to_have_text("armed")
    expect(result).to_have_text("The limit applies again.")
    expect(result).to_be_focused()
    expect(buttons).to_have_count(0)


def test_decision_that_fails_is_told_and_can_be_repeated(page: Page, switch: Switch) -> None:
    there = switch.now
    page.get_by_role("button", name="Apply the limit again").click()
    expect(page.get_by_role("dialog")).to_contain_text("first have the devices reported as running")
    switch.now = replace(there, database_url=Deployment().database_url)
    page.get_by_role("dialog").get_by_role("button", name="Apply the limit again").click()

    result = page.locator("[data-panel=health-title] output")
    expect(result).to_have_text("cannot reach the database")
    expect(page.get_by_role("group", name=BRAKE)).to_have_count(0)  # its state is unknown

    switch.now = there
    page.get_by_role("button", name="Apply the limit again").click()
    page.get_by_role("dialog").get_by_role("button", name="Apply the limit again").click()
    expect(fact(page, BRAKE)).to_have_text("armed")


def test_decision_is_asked_for_in_chinese_on_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.get_by_role("button", name="中文").click()
    page.get_by_role("button", name="全部放行一小时").click()

    question = page.get_by_role("dialog", name="全部放行一小时？")
    expect(question).to_contain_text("从用户收回设备")
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    question.get_by_role("button", name="全部放行一小时").click()
    expect(fact(page, "大规模故障制动")).to_have_text("已放行")
