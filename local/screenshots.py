"""The screenshots of the console in docs/console/: normal, in an outage, in a mass failure.

`make record` takes them from a platform of its own, as people would see it.
"""

from __future__ import annotations

import time
from base64 import b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import httpx
from playwright.sync_api import expect, sync_playwright

from local.paths import ROOT
from local.restarts import Outage
from local.servers.programs import require_program
from operations.publishing import message_ids
from ops.console.forms import event_forms, filled_in
from ops.direct import DirectOperations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from playwright.sync_api import Page

SCREENSHOTS: Final = ROOT / "docs/console"
BRAKE_DEVICES: Final = "3"
"""MASS_FAILURE_DEVICES of the platform: few devices are enough for a mass failure."""

_READER: Final = "user-456"
_WIDE: Final[Any] = {"width": 1280, "height": 760}
_PHONE: Final[Any] = {"width": 390, "height": 844}
_TIMEOUT_MS: Final = 120_000
_OUTAGE_SECONDS: Final = 600.0


def take_screenshots(found: Mapping[str, Any], outage: Path) -> None:
    """Take all screenshots, of a user who reads English: not every machine has a Chinese font.

    Args:
        found: the endpoints of the platform.
        outage: the file with which an outage is requested.
    """
    expect.set_options(timeout=_TIMEOUT_MS)
    SCREENSHOTS.mkdir(exist_ok=True)
    devices = [_allocate(found) for _ in range(6)]
    with _page(found["console"]) as page:
        message_id = _publish("device.failed", deviceId=devices[0], reason="Screen is dark")
        _go(page, f"message/{message_id}")
        expect(page.locator(".flow > .reached")).to_have_count(6)
        _save(page, "message")
        _publish(
            "device.status_changed", deviceId=devices[1], oldStatus="running", newStatus="running"
        )
        _publish("billing.balance_low", userId=_READER)
        _go(page, "overview")
        expect(page.locator(".flow .good").first).to_be_visible()
        expect(page.get_by_role("region", name="Outcomes").locator("tbody tr")).to_have_count(3)
        expect(page.locator("svg.spark").first).to_be_visible()
        _save(page, "overview")
        page.emulate_media(color_scheme="dark")
        _save(page, "overview-dark")
        page.set_viewport_size(_PHONE)
        _save(page, "overview-phone")
        page.set_viewport_size(_WIDE)
        page.emulate_media(color_scheme="light")
        for device in devices[1:]:
            _publish("device.failed", deviceId=device, reason="Rack is unreachable")
        expect(page.locator("#live")).to_contain_text("brake is engaged")
        expect(page.locator(".flow .warn").first).to_be_visible()
        _save(page, "mass-failure")
        Outage("MariaDB", time.time() + _OUTAGE_SECONDS).write(outage)
        expect(page.locator("#live")).to_contain_text("Database")
        _publish("user.suspended", userId=_READER, reason="Terms of use")
        expect(page.get_by_text("wait for a retry").first).to_be_visible()
        page.emulate_media(color_scheme="dark")
        _save(page, "outage")


@contextmanager
def _page(url: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=require_program("chromium"))
        page = chromium.new_page(viewport=_WIDE, locale="en-GB", color_scheme="light")
        page.goto(url)
        yield page
        chromium.close()


def _go(page: Page, panel: str) -> None:
    page.evaluate("hash => { location.hash = hash }", f"#/{panel}")


def _save(page: Page, name: str) -> None:
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def _allocate(found: Mapping[str, Any]) -> str:
    headers = {"authorization": f"Bearer {found['tokens']['admin']}"}
    body = {"userId": _READER}
    response = httpx.post(f"{found['api']}/api/allocations", json=body, headers=headers)
    return str(response.raise_for_status().json()["deviceId"])


def _publish(event_type: str, **values: str) -> str:
    """Publish the example of an event with some other values, and return the message's id."""
    form = next(one for one in event_forms() if one["eventType"] == event_type)
    example = {one["path"]: str(one["value"]) for one in form["fields"] if one["required"]}
    body = b64encode(filled_in(event_type, example | values)).decode()
    ids = message_ids(1, None)
    DirectOperations().call(
        "publish",
        {"eventType": event_type, "body": body, "ids": ids},
    )
    return ids[0]
