"""Goes to a panel of the console and looks at it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

_LOADING: Final = re.compile("^(Loading|正在加载)$")
# Only the violations: what axe has passed is ten times as much to send.
_RUN_AXE: Final = "axe.run({resultTypes: ['violations']}).then(found => found.violations)"


def show(page: Page, panel: str) -> None:
    """Go to a panel by its address, without waiting for its data."""
    page.evaluate("hash => { location.hash = hash }", f"#/{panel}")
    current = page.locator("nav a[aria-current=page]")
    expect(current).to_have_attribute("href", f"#/{panel.partition('/')[0]}")


def await_data(page: Page) -> None:
    """Wait until the panel has its data."""
    expect(page.locator("main").get_by_text(_LOADING)).to_have_count(0)


def rows(page: Page, label: str) -> Locator:
    """Return the rows of a table."""
    return page.get_by_role("region", name=label).locator("tbody tr")


def fact(page: Page, name: str) -> Locator:
    """Return the value of a figure."""
    return page.locator(".facts > div", has=page.get_by_text(name, exact=True)).locator("dd")


def serious(page: Page) -> list[str]:
    """Return what axe finds serious or critical."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    return [
        f"{one['id']}: {one['nodes'][0]['html']}"
        for one in page.evaluate(_RUN_AXE)
        if one["impact"] in ("serious", "critical")
    ]
