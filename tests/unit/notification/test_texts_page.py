"""docs/texts.md shows every text of the catalogues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from events.texts import page
from scheduler.domain.model import LOCALES
from scheduler.notification import catalogue

if TYPE_CHECKING:
    import pytest

SETTINGS: Final = ("time/zone", "time/zone_is_understood")
"""How to write times; nobody reads them."""


def marked(texts: Any, path: str, marks: dict[str, str]) -> Any:  # noqa: ANN401 - any JSON
    """Return texts with a mark at each, which is put into ``marks`` with the path of the text."""
    if isinstance(texts, dict):
        return {name: marked(value, f"{path}/{name}", marks) for name, value in texts.items()}
    if path.endswith(SETTINGS):
        return texts
    mark = marks.setdefault(path, f"«{len(marks)}»")
    return [one + mark for one in texts] if isinstance(texts, list) else texts + mark


def test_every_text_of_the_catalogues_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    marks: dict[str, str] = {}
    texts = {locale: marked(catalogue._texts(locale), locale, marks) for locale in LOCALES}
    monkeypatch.setattr(catalogue, "_texts", texts.__getitem__)

    shown = page()

    missing = [path for path, mark in marks.items() if mark not in shown]
    assert missing == [], "add examples to events/texts.py"
