"""Addresses that are malformed, outdated or hostile: the page shows something, and says what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.integration.console.deployment import with_token
from tests.integration.console.looking import show
from tests.support.browser import window

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NO_PAGE = "The console has no page with this address; this is the overview."
UNKNOWN = (
    *("#/%", "#/%E0%A4%A", "#/unknown", "#/timeline/user/%E0", "#/..%2f..", "#/<img>"),
    *("#token=!", f"#/{'a' * 5000}", "#/publish", "#/constructor", "#/%ED%A0%80"),
)
WRONG_IDS = {
    "lookup/user/%": "Nothing happened",
    "lookup/unknown/u1": "Not up to date: timeline: kind",
    f"lookup/user/{'u' * 5000}": "Not up to date: timeline: id",
    "message/%E0": "No function has received it",
    "message/%C3%A9": "Not up to date: message: id",
    "users/%": "This user does not exist yet",
    f"users/{'u' * 5000}": "Not up to date: user.details: userId",
    "letters/%/%": "No dead letters",
    "letters/only-a-queue": "No dead letters",
}


def test_unknown_address_shows_the_overview_and_says_so(page: Page) -> None:
    for address in UNKNOWN:
        for load in (page.reload, lambda: None):  # opened, and typed into an open page
            page.evaluate("hash => { location.hash = hash }", address)
            load()

            expect(page.get_by_text(NO_PAGE)).to_be_visible()
            expect(page.locator("#queues-title")).to_be_visible()
            show(page, "message")
            expect(page.get_by_text(NO_PAGE)).to_have_count(0)
    expect(page.locator("#live")).to_have_text("Live")


def test_panel_says_what_is_wrong_with_an_id(page: Page) -> None:
    for address, said in WRONG_IDS.items():
        page.evaluate("hash => { location.hash = hash }", f"#/{address}")

        expect(page.locator("main").get_by_text(said).first).to_be_visible()


def test_typed_id_may_have_any_characters(page: Page) -> None:
    show(page, "lookup")
    page.get_by_label("Id").fill("50%/a?b#c é")
    page.get_by_role("button", name="Look up").click()

    expect(page.get_by_role("heading", name="Timeline of 50%/a?b#c é")).to_be_visible()


def test_address_with_a_new_token_is_opened_in_the_same_tab(browser: Browser, url: str) -> None:
    with window(browser, f"{url}/#token=old", locale="zh-CN") as page:
        expect(page.locator("main")).to_have_text("令牌缺失或已失效，请打开命令输出的地址")
        expect(page.locator("#live")).to_contain_text("令牌缺失或已失效")

        page.goto(with_token(url))  # only what follows the # differs: nothing is loaded

        expect(page.locator("#live")).to_have_text("实时")
        assert "token" not in page.url


@pytest.mark.parametrize(
    ("operation", "panel", "answer"),
    [("overview", "", {"broker": {}, "database": {}}), ("users", "users", {"items": [None]})],
)
def test_answer_that_cannot_be_shown_leaves_no_blank_page(
    browser: Browser, url: str, operation: str, panel: str, answer: object
) -> None:
    """Such as that of a function of another version."""
    with browser.new_context(locale="en-GB") as opened:
        page = opened.new_page()
        page.route(f"**/operations/{operation}", lambda route: route.fulfill(json=answer))
        page.goto(with_token(url))
        page.evaluate("hash => { location.hash = hash }", f"#/{panel}")
        expect(page.get_by_role("alert")).to_contain_text("This cannot be shown: ")

        page.unroute(f"**/operations/{operation}")
        page.get_by_role("button", name="Try again").click()

        expect(page.locator("#live")).to_have_text("Live")
        expect(page.get_by_role("alert")).to_have_count(0)


def test_page_whose_scripts_could_not_be_loaded_tells_to_reload(browser: Browser, url: str) -> None:
    """Chromium gives up requests when the network changes, as when Docker starts a container."""
    with browser.new_context(locale="en-GB") as opened:
        page = opened.new_page()
        page.route("**/page/panel.js", lambda route: route.abort())
        page.goto(with_token(url))
        expect(page.locator("#app")).to_contain_text("reload the page")
        expect(page.locator("#app")).to_contain_text("重新加载页面")

        page.unroute("**/page/panel.js")
        page.reload()

        expect(page.locator("#app")).not_to_contain_text("reload the page")
        expect(page.locator("header")).to_have_count(1)
