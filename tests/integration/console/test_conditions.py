"""Every panel of the console: its accessibility, its width, and what it shows during an outage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import pytest
from playwright.sync_api import expect
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.integration.console.conftest import HOLDER
from tests.integration.console.deployment import Deployment, served, with_token
from tests.integration.console.looking import await_data, fact, rows, serious, show
from tests.support.browser import window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from playwright.sync_api import Browser, Page
    from starlette.requests import Request

_GROUP: Final = "the letters of a group"
_PANELS: Final = (
    *("overview", "letters", _GROUP, "lookup", f"lookup/user/{HOLDER}", "pool", "users"),
    *(f"users/{HOLDER}", "publish", "message", "message/m-1", "sent"),
)
_SENT: Final = {
    "mails": [{"to": "a@example.com", "subject": "Device released", "text": "It is dark"}],
    "sms": [{"to": "+8613800138000", "text": "It is dark"}],
    "totals": {"mails": 1, "sms": 1},
}


class _Outage(NamedTuple):
    """A server that is away, and the panels that cannot be up to date without it."""

    server: str
    field: str
    panels: frozenset[str]


_OUTAGES: Final = (
    _Outage(
        "Database",
        "database_url",
        frozenset(
            ("overview", f"lookup/user/{HOLDER}", "pool", "users", f"users/{HOLDER}", "message/m-1")
        ),
    ),
    _Outage("Broker", "broker_url", frozenset(("overview", "letters", _GROUP))),
    _Outage("DynamoDB", "aws_url", frozenset()),
)


@dataclass
class _Switch:
    """The operations on servers that a test can take away."""

    now: Deployment
    place: str = "test"

    def call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return self.now.call(operation, arguments)


@pytest.fixture
def switch(deployment: Deployment) -> _Switch:
    return _Switch(deployment)


@pytest.fixture
def page(browser: Browser, switch: _Switch, tmp_path: Path) -> Iterator[Page]:
    """The page with all its panels; the test fails if it has logged an error."""

    def messages(_request: Request) -> JSONResponse:
        return JSONResponse(_SENT)

    routes = (Route("/console/messages", messages),)
    with (
        served(switch, tmp_path, allow_publish=True, is_local=True, routes=routes) as url,
        window(browser, with_token(url)) as shown,
    ):
        expect(shown.locator("#updated")).not_to_be_empty()
        yield shown


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


def test_every_panel_fits_the_window(page: Page, panels: dict[str, str]) -> None:
    for name, panel in panels.items():
        show(page, panel)
        await_data(page)
        for width in (360, 800, 1600):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name


@pytest.mark.parametrize("outage", _OUTAGES, ids=lambda outage: outage.server)
def test_every_panel_shows_that_a_server_is_unavailable(
    page: Page, switch: _Switch, panels: dict[str, str], outage: _Outage
) -> None:
    page.emulate_media(color_scheme="dark")
    there = switch.now
    switch.now = replace(there, **{outage.field: getattr(Deployment(), outage.field)})

    expect(page.locator("#live")).to_contain_text(f"{outage.server}: ")
    for name, panel in panels.items():
        show(page, panel)
        stale = page.locator("main .stale").get_by_text("Not up to date")
        if name in outage.panels:
            expect(stale.first).to_be_visible()
        else:
            await_data(page)
            expect(stale).to_have_count(0)
        assert serious(page) == [], name

    switch.now = there
    expect(page.locator("#live")).to_have_text("Live")


def test_event_cannot_be_published_without_the_broker(page: Page, switch: _Switch) -> None:
    switch.now = replace(switch.now, broker_url=Deployment().broker_url)
    show(page, "publish")
    page.get_by_role("button", name="Publish device.failed").click()

    expect(page.locator("output")).to_contain_text("cannot reach the broker")


@pytest.mark.usefixtures("much")
def test_user_is_shown_without_dynamodb(page: Page, switch: _Switch) -> None:
    switch.now = replace(switch.now, aws_url=Deployment().aws_url)
    show(page, f"users/{HOLDER}")

    expect(page.get_by_text("Payment failures are unknown")).to_be_visible()
    expect(fact(page, "Payment failures")).to_have_text("–")
    expect(rows(page, "Active allocations")).to_contain_text("d-00001")
