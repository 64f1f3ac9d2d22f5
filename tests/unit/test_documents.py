"""What the documents point to exists."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.pages import anchors

ROOT = Path(__file__).parents[2]


def listed(pattern: str) -> list[str]:
    """Return the files of the repository that match a pattern."""
    git = (shutil.which("git") or "git", "-c", "safe.directory=*", "ls-files", "-z", pattern)
    found = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in found.stdout.split("\0") if name]


PAGES = sorted(ROOT / name for name in listed("*.md"))
"""In the repository only: tools write Markdown of their own, such as .pytest_cache/README.md."""
ROOTS = (ROOT, ROOT / "layers/scheduler/scheduler", ROOT / "functions", ROOT / "docs")
MAX_PICTURE_BYTES = 250_000
LINK = re.compile(r"\]\(([^)\s]+)\)")
FILE = re.compile(r"`((?:[\w.-]+/)+(?:[\w.-]+\.(?:py|json|yaml|md|toml|sql))?)`")
PLACE = re.compile(r"`([\w./-]+\.py):([\w.]+)`")
"""A name in a file, such as `pipeline/settle.py:settle`."""
MADE = {".aws-sam/sbom/", "bench/results/", ".local/endpoints.json"}
"""By a command; not in the repository."""
TARGET = re.compile(r"\bmake ([a-z][a-z-]*)\b")


def code(page: Path) -> str:
    """Return the text between backticks and fences: prose may say that people make things."""
    return " ".join(re.findall(r"```.*?```|`[^`\n]+`", page.read_text("utf-8"), re.DOTALL))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text("utf-8")):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_picture_of_the_console_is_on_a_page_and_small() -> None:
    links = [(page, link) for page in PAGES for link in LINK.findall(page.read_text("utf-8"))]
    linked = {(page.parent / link).resolve() for page, link in links if link.endswith(".png")}
    pictures = set((ROOT / "docs/console").rglob("*.png"))

    assert pictures == linked
    assert [one for one in pictures if one.stat().st_size > MAX_PICTURE_BYTES] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_picture_has_a_text_for_those_who_do_not_see_it(page: Path) -> None:
    assert "![](" not in page.read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_is_named_exists(page: Path) -> None:
    roots = (*ROOTS, page.parent)
    named = set(FILE.findall(page.read_text("utf-8").replace("<family>", "device"))) - MADE

    assert not [name for name in named if not any((root / name).exists() for root in roots)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_name_in_a_file_is_defined_there(page: Path) -> None:
    for file, name in PLACE.findall(page.read_text("utf-8")):
        path = next((root / file for root in ROOTS if (root / file).exists()), None)
        assert path, file
        assert defines(path.read_text("utf-8"), name), f"{file}:{name}"


def defines(source: str, name: str) -> bool:
    """Return whether each part of a dotted name is a class, a function, or assigned to."""
    patterns = (rf"^\s*(?:(?:class|def) {part}\b|{part}\b[^=(]*=)" for part in name.split("."))
    return all(re.search(pattern, source, re.MULTILINE) for pattern in patterns)


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_each_measured_figure_of_the_readme_has_a_date(name: str) -> None:
    sections = (ROOT / name).read_text("utf-8").split("\n## ")
    (measured,) = (one for one in sections if one.startswith(("Measured", "实测数据")))
    _, *rows = re.findall(r"^\| (?!---)(.+) \|$", measured, re.MULTILINE)

    assert rows
    for row in rows:
        *_, date, link = row.split(" | ")
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", date), row
        assert link.startswith("[")


def test_every_entry_of_the_glossary_names_its_place_in_the_code() -> None:
    _, *entries = (ROOT / "docs/glossary.md").read_text("utf-8").split("\n### ")
    terms = [entry.partition("\n")[0] for entry in entries]

    assert terms == sorted(terms, key=str.lower)
    assert [e for e in entries if not (PLACE.search(e) or FILE.search(e))] == []


def test_every_folder_has_its_place_in_the_architecture() -> None:
    (tree,) = re.findall(
        r"^## Where things are\n\n```\n(.*?)^```",
        (ROOT / "docs/architecture.md").read_text("utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    named = set(re.findall(r"([\w/]+)/", tree))
    packages = (ROOT / "layers/scheduler/scheduler").glob("*/__init__.py")
    folders = {one.partition("/")[0] for one in listed("*/*") if not one.startswith(".")}

    assert folders | {path.parent.name for path in packages} <= {
        *named,
        *(name.partition("/")[0] for name in named),
        "docs",  # which this page is in
    }


def test_decisions_are_numbered_and_dated() -> None:
    decisions = (ROOT / "docs/decisions.md").read_text("utf-8").split("\n## ")[1:]

    assert [int(one.partition(".")[0]) for one in decisions] == list(range(1, len(decisions) + 1))
    assert [
        one for one in decisions if not re.search(r"^\*20\d\d-\d\d-\d\d", one, re.MULTILINE)
    ] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_make_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))

    assert set(TARGET.findall(code(page))) <= targets
