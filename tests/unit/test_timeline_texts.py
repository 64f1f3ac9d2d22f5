"""What functions store in English is translated when a timeline is read."""

from __future__ import annotations

from string import Formatter

import pytest

from scheduler.notification.catalogue import TimelineSection, timeline_templates, timeline_text
from scheduler.outbox import delivery
from scheduler.timeline.texts import TimelineTexts

ENGLISH, CHINESE = TimelineTexts("en"), TimelineTexts("zh-CN")
STORED = timeline_templates(TimelineSection.STORED, "en")


def example(key: str, locale: str) -> str:
    names = [name for _, name, *_ in Formatter().parse(STORED[key]) if name]
    return timeline_text(TimelineSection.STORED, key, locale, {name: f"a {name}" for name in names})


@pytest.mark.parametrize("key", STORED)
def test_stored_text_is_translated_alone_and_as_a_part(key: str) -> None:
    stored, translated = example(key, "en"), example(key, "zh-CN")

    assert CHINESE.translate(stored) == translated
    assert ENGLISH.translate(stored) == stored
    assert "；" in CHINESE.translate(f"quiet hours; {stored}") or "; " in stored


def test_what_others_have_said_stays() -> None:
    assert CHINESE.translate("AccessDenied: no; really") == "AccessDenied: no；really"
    assert CHINESE.translate(None) == ENGLISH.translate(None) == ""


def test_reasons_for_which_nothing_was_sent_are_translated() -> None:
    reasons = {
        value
        for name, value in vars(delivery).items()
        if name.isupper() and not name.startswith("_") and isinstance(value, str)
    }

    assert reasons <= set(STORED.values())
    assert reasons
