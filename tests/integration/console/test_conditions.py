"""Every panel of the console: its accessibility, its width, and what it shows during an outage."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import pytest
from playwright.sync_api import expect

from tests.integration.console.conftest import HOLDER
from tests.integration.console.deployment import Deployment, Switch
from tests.integration.console.looking import await_data, fact, rows, serious, show

if TYPE_CHECKING:
    from playwright.sync_api import Page


_GROUP: Final = "the letters of a group"
_PANELS: Final = (
    *("overview", "letters", _GROUP, "lookup", f"lookup/user/{HOLDER}", "pool", "users"),
    *(f"users/{HOLDER}", "publish", "message", "message/m-1", "sent"),
)


class _Outage(NamedTuple):
    """A server that is away, what is told, and the panels that are not up to date without it."""

    server: str
    told: str
    field: str
    panels: frozenset[str]


_OUTAGES: Final = (
    _Outage(
        "Database",
        "Cannot reach the database",
        "database_url",
        frozenset(
            ("overview", f"lookup/user/{HOLDER}", "pool", "users", f"users/{HOLDER}", "message/m-1")
        ),
    ),
    _Outage(
        "Broker",
        "Cannot reach the broker",
        "broker_url",
        frozenset(("overview", "letters", _GROUP)),
    ),
    _Outage("DynamoDB", "Cannot read the table of failed payments", "aws_url", frozenset()),
)


_NOTHING: Final = re.compile("^(None|No |Loading)")
"""What may not be said of what is unknown."""
_CHINESE: Final = re.compile(
    "[\u4e00-\u9fff]|^(Broker|DynamoDB|CPU|ID|WebSocket|English)$|^(device|user|billing)[.]"
)
"""A text in Chinese, or a name."""
_CUT: Final = """() => [
    ...[...document.querySelectorAll(".scroll")].filter(one => one.scrollWidth > one.clientWidth),
    ...[...document.querySelectorAll("td.text, td.id")].filter(one => one.clientWidth < 100),
].map(one => one.getAttribute("aria-label") ?? one.textContent)"""
"""Tables that are cut at their side, and texts in columns of a few letters."""
_SMALL_FIELDS: Final = """() => [...document.querySelectorAll("input, select, textarea")]
    .filter(one => parseFloat(getComputedStyle(one).fontSize) < 16).map(one => one.outerHTML)"""
"""Fields into which phones zoom."""


def labels(page: Page) -> list[str]:
    """Return the headings, labels and statuses of a panel."""
    found = page.locator("h2, h3, dt, th, label, button, summary, option, td .badge")
    return [one.strip() for one in found.all_text_contents()]


@pytest.fixture
def page(local_page: Page) -> Page:
    return local_page


@pytest.fixture
def panels(page: Page, much: object) -> dict[str, str]:  # noqa: ARG001 - the fixture fills the database that the page shows
    """The addresses of all panels, by their names."""
    show(page, "letters")
    group = page.locator("[data-panel=groups-title] tbody a").get_attribute("href")
    assert group
    return {name: group[2:] if name == _GROUP else name for name in _PANELS}


@pytest.mark.parametrize(("language", "scheme"), [("English", "light"), ("中文", "dark")])
def test_axe_finds_nothing_serious_in_any_panel(
    page: Page, panels: dict[str, str], language: str, scheme: Literal["light", "dark"]
) -> None:
    page.emulate_media(color_scheme=scheme)
    if language == "中文":
        page.get_by_role("button", name=language).click()
    for name, panel in panels.items():
        show(page, panel)
        await_data(page)
        assert serious(page) == [], name
        if language == "中文" and panel != "publish":  # the names of an event's fields
            assert [one for one in labels(page) if not _CHINESE.search(one)] == [], name


def test_every_panel_fits_the_window(page: Page, panels: dict[str, str]) -> None:
    for name, panel in panels.items():
        show(page, panel)
        await_data(page)
        for width in (360, 800, 1280, 1600):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            assert page.evaluate(_CUT) == [], f"{name}, {width}"
            assert width != 360 or page.evaluate(_SMALL_FIELDS) == [], name


@pytest.mark.parametrize("outage", _OUTAGES, ids=lambda outage: outage.server)
def test_every_panel_shows_that_a_server_is_unavailable(
    page: Page, switch: Switch, panels: dict[str, str], outage: _Outage
) -> None:
    page.emulate_media(color_scheme="dark")
    there = switch.now
    switch.now = replace(there, **{outage.field: getattr(Deployment(), outage.field)})

    expect(page.locator("#live")).to_have_text(outage.told)
    for name, panel in panels.items():
        show(page, panel)
        stale = page.locator("main .stale").get_by_text("Not up to date")
        if name in outage.panels:
            expect(stale.first).to_be_visible()
            if outage.server == "Database":
                expect(page.locator("main td").get_by_text(_NOTHING)).to_have_count(0)
        else:
            await_data(page)
            expect(stale).to_have_count(0)
        assert serious(page) == [], name

    switch.now = there
    expect(page.locator("#live")).to_have_text("Live")


def test_event_cannot_be_published_without_the_broker(page: Page, switch: Switch) -> None:
    switch.now = replace(switch.now, broker_url=Deployment().broker_url)
    show(page, "publish")
    page.get_by_role("button", name="Publish device.failed").click()

    expect(page.locator("output")).to_contain_text("cannot reach the broker")


@pytest.mark.usefixtures("much")
def test_user_is_shown_without_dynamodb(page: Page, switch: Switch) -> None:
    switch.now = replace(switch.now, aws_url=Deployment().aws_url)
    show(page, f"users/{HOLDER}")

    expect(page.get_by_text("Payment failures are unknown")).to_be_visible()
    expect(fact(page, "Payment failures")).to_have_text("–")
    expect(rows(page, "Active allocations")).to_contain_text("d-00001")
