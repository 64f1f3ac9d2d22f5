"""The files of the console's page: small, complete in Chinese, and with their licences."""

from __future__ import annotations

import re
from typing import Final

from local.paths import ROOT

PAGE: Final = ROOT / "ops/console/page"
VENDOR: Final = PAGE / "vendor"
OURS: Final = sorted(set(PAGE.rglob("*.*")) - set(VENDOR.rglob("*")))
SCRIPTS: Final = [path for path in OURS if path.suffix == ".js"]
CHINESE: Final = "".join(path.read_text("utf-8") for path in PAGE.glob("chinese*.js"))
TEXT: Final = re.compile(r'\bt\("([^"]*)"')
ENTRY: Final = re.compile(r'"([^"]+)": "([^"]+)"')
VALUE: Final = re.compile(r"\{\w+\}")
MAX_LINES: Final = 300


def test_no_file_is_long() -> None:
    assert [path for path in OURS if len(path.read_text("utf-8").splitlines()) > MAX_LINES] == []


def test_every_text_has_a_chinese_one_with_the_same_values() -> None:
    texts = {text for path in SCRIPTS for text in TEXT.findall(path.read_text("utf-8"))}
    chinese = dict(ENTRY.findall(CHINESE))

    assert sorted(texts - chinese.keys()) == []
    for english, translated in chinese.items():
        assert set(VALUE.findall(english)) == set(VALUE.findall(translated)), english


def test_libraries_are_listed_with_version_and_licence() -> None:
    listed = (VENDOR / "README.md").read_text("utf-8")

    for library in VENDOR.glob("*.js"):
        assert f"| `{library.name}` |" in listed
        assert (VENDOR / f"LICENSE.{library.stem}").exists()
