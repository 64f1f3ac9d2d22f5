"""The commands of the first day give a service of one's own what it needs."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING, Final

from local.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PAGE: Final = (ROOT / "docs/first-day.md").read_text("utf-8")
COPYING: Final = re.findall(r"^(?:sed|cp) .*SCHEDULER.*$", PAGE, re.MULTILINE)
IMPORTED: Final = re.compile(r"from '(\.[^']+)\.js'")


def test_copied_files_import_only_each_other(tmp_path: Path) -> None:
    assert len(COPYING) == 2
    (tmp_path / "src").mkdir()

    for command in COPYING:
        here = command.replace("SCHEDULER", str(ROOT))
        subprocess.run(here, shell=True, cwd=tmp_path, check=True)  # noqa: S602 - as readers do

    copied = {
        file.name.partition(".")[0]: file.read_text() for file in (tmp_path / "src").iterdir()
    }
    imported = IMPORTED.findall(copied["scheduler-events"])
    assert sorted(copied) == ["events", "scheduler-events"]
    assert imported == ["./events"]


def test_the_program_that_is_run_is_compiled_from_an_example() -> None:
    (program,) = re.findall(r"^node contracts/build/(\S+)\.js$", PAGE, re.MULTILINE)

    assert (ROOT / "contracts" / f"{program}.ts").is_file()
