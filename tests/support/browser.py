"""Chromium, and pages of it that must not log any error."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from playwright.sync_api import expect, sync_playwright

from local.servers.programs import BROWSER, require_program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

_EXPECT_TIMEOUT_MS: Final = 30_000
_OPTIONS: Final = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run a browser; meanwhile, nothing else of the process may use asyncio."""
    expect.set_options(timeout=_EXPECT_TIMEOUT_MS)
    with sync_playwright() as playwright:
        (program,) = BROWSER
        browser = playwright.chromium.launch(
            executable_path=require_program(program), args=_OPTIONS
        )
        yield browser
        browser.close()


@contextmanager
def window(browser: Browser, url: str, **settings: Any) -> Iterator[Page]:  # noqa: ANN401 - Playwright's
    """Open a page in a window of its own.

    Raises:
        AssertionError: the page has logged an error.
    """
    errors: list[str] = []
    with browser.new_context(**{"locale": "en-GB", **settings}) as opened:
        page = opened.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.goto(url)
        try:
            yield page
        except AssertionError as failure:
            failure.add_note(f"the page has logged {errors}")
            raise
    # Chromium also logs responses of 4xx and 5xx, which the page shows itself.
    logged = [said for said in errors if "the server responded with a status" not in said]
    assert logged == [], f"the page has logged {logged}"
