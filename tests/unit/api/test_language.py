"""The language that a request asks for by Accept-Language."""

from __future__ import annotations

import pytest

from allocation_api.language import requested_language


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        ("zh-CN", "zh-CN"),
        ("zh", "zh-CN"),
        ("zh-Hant-TW", "zh-CN"),
        ("EN-gb", "en"),
        ("fr, en;q=0.5", "en"),
        ("en;q=0.2, zh;q=0.9", "zh-CN"),
        ("en, zh", "en"),
        ("en;q=0, zh;q=0.1", "zh-CN"),
        ("en;q=0", None),
        ("*", None),
        ("", None),
        ("en;q=high", None),
        (";;;,,,q=", None),
        ("english", None),
    ],
)
def test_the_preferred_language_with_texts_is_chosen(header: str, locale: str | None) -> None:
    assert requested_language({"Accept-Language": header}) == locale


def test_without_a_header_no_language_is_requested() -> None:
    assert requested_language({}) is None
