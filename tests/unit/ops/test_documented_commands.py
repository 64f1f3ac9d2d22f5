"""The commands of scheduler-ops in the documents exist, with their options."""

from __future__ import annotations

import re
import shlex
from typing import Final

import pytest
import typer.main
from typer.core import TyperGroup

from local.paths import ROOT
from ops.__main__ import app

FENCE: Final = re.compile(r"^ *```\w*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
COMMAND: Final = re.compile(
    r"^ *(?:bin/)?scheduler-ops (?:--stack \S+ )?(.*?)(?: +# .*)?$", re.MULTILINE
)


def documented() -> list[str]:
    """Return the lines of code in all documents that start with the tool."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("contracts/*.md")]
    blocks = (block for page in pages for block in FENCE.findall(page.read_text("utf-8")))
    return sorted({line for block in blocks for line in COMMAND.findall(block)})


def test_the_documents_have_commands() -> None:
    assert any(line.startswith("dead-letters list") for line in documented())


@pytest.mark.parametrize("line", documented())
def test_command_exists_with_its_options(line: str) -> None:
    command = typer.main.get_command(app)
    words = shlex.split(line)
    given = [word.partition("=")[0] for word in words if word.startswith("--")]
    known = {"--help"}
    names = (word for word in words if re.fullmatch(r"[a-z][a-z-]*", word))
    while isinstance(command, TyperGroup):
        command = command.commands[next(names)]
        known.update(name for one in command.params for name in one.opts + one.secondary_opts)

    assert set(given) <= known
