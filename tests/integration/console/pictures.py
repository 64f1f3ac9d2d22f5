"""Looks at a page as it is in the documents; `make pictures` writes the pictures."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from local.paths import ROOT
from tests.integration.console.looking import serious

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from playwright.sync_api import Page, ViewportSize

RECORDING: Final = "RECORD" in os.environ
_PICTURES: Final = ROOT / "docs/console"
_MARGIN: Final = 16


class Look(NamedTuple):
    """A size of the window and a colour scheme."""

    size: ViewportSize
    scheme: Literal["light", "dark"] = "light"


LOOKS: Final = {
    "light": Look({"width": 1280, "height": 800}),
    "dark": Look({"width": 1280, "height": 800}, "dark"),
    "phone": Look({"width": 390, "height": 844}),
}
_ENGLISH: Final = "en"
_CHINESE: Final = "zh-CN"
_LOOKS_IN: Final = {_ENGLISH: tuple(LOOKS), _CHINESE: tuple(LOOKS) if RECORDING else ("phone",)}
_HAS_CHINESE_FONT: Final = """() => {
    const drawn = text => {
        const canvas = document.createElement("canvas")
        canvas.getContext("2d").fillText(text, 0, 10)
        return canvas.toDataURL()
    }
    return drawn("中") !== drawn("文")
}"""
"""Characters for which there is no font are the same box."""


def looks(page: Page, name: str, until: str, pictured: Container[str] = LOOKS) -> Iterator[str]:
    """Give a page each look in each language, check that it is sound, and take its picture.

    Args:
        page: in English.
        name: of the pictures.
        until: the last panel on the pictures of a wide window.
        pictured: the looks of which there are pictures.

    Yields:
        The language, for what else is to be checked.
    """
    assert not RECORDING or page.evaluate(_HAS_CHINESE_FONT), "install fonts-wqy-microhei"
    for language, names in _LOOKS_IN.items():
        for look in names:
            size, scheme = LOOKS[look]
            page.set_viewport_size(size)
            page.emulate_media(color_scheme=scheme)
            yield language
            what = f"{name}, {look}, {language}"
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], what
            found = serious(page)
            assert found == [], f"{what}: {found}"
            if RECORDING and look in pictured:
                folder = "" if language == _ENGLISH else f"{language}/"
                _write(page, f"{folder}{name}-{look}", None if look == "phone" else until)
        page.get_by_role("button", name="中文" if language == _ENGLISH else "English").click()


def _write(page: Page, name: str, until: str | None) -> None:
    path = _PICTURES / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    if until is None:
        page.screenshot(path=path)
        return
    box: Any = page.locator(f"[data-panel={until}]").bounding_box()
    width = LOOKS["light"].size["width"]
    height = box["y"] + box["height"] + _MARGIN
    page.screenshot(
        path=path, full_page=True, clip={"x": 0, "y": 0, "width": width, "height": height}
    )
