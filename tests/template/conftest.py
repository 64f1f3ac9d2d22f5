import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from events.lists import files_with_lists
from local.paths import ROOT
from tests.template.stack import Stack

HERE = Path(__file__).parent
SAM_PYTHON = ROOT / ".venv-sam" / "bin" / "python"
TEMPLATES = ("template", *(f"infrastructure/{p.stem}" for p in ROOT.glob("infrastructure/*.yaml")))


@pytest.fixture(scope="session")
def expanded() -> dict[str, dict[str, Any]]:
    """All templates after the transforms, by path without extension."""
    for path, text in files_with_lists():
        if (ROOT / path).read_text("utf-8") != text:
            pytest.fail(f"{path} is stale: run `make generate`")
    if not SAM_PYTHON.exists():
        pytest.fail(".venv-sam is missing: run `make validate`, which makes it")
    done = subprocess.run(
        [SAM_PYTHON, HERE / "expand.py", *(f"{name}.yaml" for name in TEMPLATES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {path.removesuffix(".yaml"): found for path, found in json.loads(done.stdout).items()}


@pytest.fixture(scope="session")
def stack(expanded: dict[str, dict[str, Any]]) -> Stack:
    """The main stack."""
    return _stack(expanded["template"])


@pytest.fixture(scope="session")
def nested(expanded: dict[str, dict[str, Any]]) -> dict[str, Stack]:
    """The nested stacks by file name without extension."""
    return {
        name.removeprefix("infrastructure/"): _stack(template)
        for name, template in expanded.items()
        if name != "template"
    }


def _stack(template: dict[str, Any]) -> Stack:
    return Stack(template["Resources"], template.get("Mappings", {}))
