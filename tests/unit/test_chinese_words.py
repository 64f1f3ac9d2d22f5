"""Chinese texts have one word for a thing, that of the glossary."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from local.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

GLOSSARY: Final = (ROOT / "docs/glossary.md").read_text("utf-8").partition("## In Chinese")[2]
ROWS: Final = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", GLOSSARY, re.MULTILINE)[1:]
SOURCES: Final = [
    ROOT / "README.zh-CN.md",
    ROOT / "contracts/README.zh-CN.md",
    *sorted((ROOT / "docs/zh-CN").glob("*.md")),
    *sorted((ROOT / "ops/console/page").glob("chinese*.js")),
    ROOT / "functions/alarm_relay/text.py",
    ROOT / "layers/scheduler/scheduler/notification/texts/zh-CN.json",
]
CLAUSE: Final = re.compile(r"[^，。；：:、（）()|\n]*暂停[^，。；：:、（）()|\n]*")
"""What stands between two marks; a reason after a colon is of another clause."""

each_source: Final = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)


def test_the_glossary_has_a_word_for_each_thing() -> None:
    things = {thing for thing, _, _ in ROWS}

    assert {"account suspended", "billing hold: service suspended", "held by the brake"} <= things


@each_source
def test_a_thing_has_no_second_word(source: Path) -> None:
    text = source.read_text("utf-8")
    others = {word for _, _, words in ROWS for word in words.split("、")}

    assert sorted(word for word in others if word in text) == []


@each_source
def test_only_accounts_and_services_are_suspended(source: Path) -> None:
    clauses = CLAUSE.findall(source.read_text("utf-8"))

    assert [one for one in clauses if not re.search("账户|服务", one)] == []


def test_every_word_of_the_glossary_is_used() -> None:
    text = "".join(source.read_text("utf-8") for source in SOURCES)

    for _, word, _ in ROWS:
        assert word in text, word
