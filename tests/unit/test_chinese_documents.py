"""The Chinese documents say what the English ones say: headings, links, code, figures."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest

from local.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

FOLDER: Final = ROOT / "docs/zh-CN"
ENGLISH: Final = {
    ROOT / "README.zh-CN.md": ROOT / "README.md",
    ROOT / "contracts/README.zh-CN.md": ROOT / "contracts/README.md",
    **{page: ROOT / "docs" / page.name for page in sorted(FOLDER.glob("*.md"))},
}
"""By the Chinese page."""
FENCE: Final = re.compile(r"^ *```(?:\w*)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
GENERATED: Final = re.compile(r"<!-- generated:.*?<!-- end of generated -->", re.DOTALL)
LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
COMMENT: Final = re.compile(r" *(?:# |//).*$", re.MULTILINE)
LABEL: Final = re.compile(r'"[^"]*"')
FIGURE: Final = re.compile(
    r"\b\d{4}-\d\d-\d\d\b|(?<![\w.,/:-])\d+(?:,\d{3})*(?:\.\d+)?(?![\d.]*[A-Za-z_])", re.ASCII
)
"""A date, or a number in digits that is no part of a name, a version or a link."""
WRITTEN_OTHERWISE: Final = {"262.8": "2.628"}
"""English figures that Chinese counts in other units: 262.8 million is 2.628 亿."""

pages: Final = pytest.mark.parametrize("page", ENGLISH, ids=lambda page: str(page.name))


def prose(page: Path) -> str:
    """Return a page without generated tables and code."""
    return FENCE.sub("", GENERATED.sub("", page.read_text("utf-8")))


def heading_levels(page: Path) -> list[int]:
    return [len(marks) for marks in re.findall(r"^(#+) ", prose(page), re.MULTILINE)]


def linked_files(page: Path) -> Counter[str]:
    """Return what a page links to; a Chinese page or picture counts as its English one."""
    files: Counter[str] = Counter()
    for link in LINK.findall(prose(page)):
        if "://" in link:
            files[link] += 1
            continue
        target = page if link.startswith("#") else page.parent / link.partition("#")[0]
        english = ENGLISH.get(target.resolve(), target.resolve())
        files[str(english).replace("/console/zh-CN/", "/console/")] += 1
    return files


def code_blocks(page: Path) -> list[str]:
    """Return the code of a page without comments and labels of pictures, which are translated."""
    found = (COMMENT.sub("", block) for block in FENCE.findall(page.read_text("utf-8")))
    found = (LABEL.sub('""', block) if "flowchart" in block else block for block in found)
    return ["\n".join(line.rstrip() for line in block.splitlines()) for block in found]


def figures(page: Path) -> Counter[str]:
    """Return the numbers of a page, each as often as it is there."""
    text = re.sub(r"`[^`\n]+`", "", LINK.sub("", prose(page)))
    return Counter(WRITTEN_OTHERWISE.get(one, one) for one in FIGURE.findall(text))


def code_spans(page: Path) -> set[str]:
    return set(re.findall(r"`([^`\n]+)`", prose(page)))


@pages
def test_headings_have_the_same_levels(page: Path) -> None:
    assert heading_levels(page) == heading_levels(ENGLISH[page])


@pages
def test_links_lead_to_the_same_files(page: Path) -> None:
    assert linked_files(page) == linked_files(ENGLISH[page])


@pages
def test_blocks_of_code_are_the_same(page: Path) -> None:
    assert code_blocks(page) == code_blocks(ENGLISH[page])


@pages
def test_names_and_commands_in_the_text_are_the_same(page: Path) -> None:
    chinese, english = code_spans(page), code_spans(ENGLISH[page])

    assert sorted(english - chinese) == [], f"missing in {page.name}"
    assert sorted(chinese - english) == [], f"not in {ENGLISH[page].name}"


@pages
def test_figures_are_the_same(page: Path) -> None:
    chinese, english = figures(page), figures(ENGLISH[page])

    assert sorted((english - chinese).elements()) == [], f"missing in {page.name}"
    assert sorted((chinese - english).elements()) == [], f"not in {ENGLISH[page].name}"


def test_the_pages_that_a_newcomer_needs_are_translated() -> None:
    names = {page.name for page in ENGLISH}

    assert {"README.zh-CN.md", "console.md", "events.md", "first-day.md"} <= names
    assert {"nestjs.md", "operations.md", "runbooks.md"} <= names
