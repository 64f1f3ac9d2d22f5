import json
import subprocess
from pathlib import Path

import pytest

from tests.template.stack import Stack

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SAM_PYTHON = ROOT / ".venv-sam" / "bin" / "python"


@pytest.fixture(scope="session")
def stack() -> Stack:
    if not SAM_PYTHON.exists():
        pytest.fail(".venv-sam is missing: run `make validate`, which makes it")
    done = subprocess.run(
        [SAM_PYTHON, HERE / "expand.py", ROOT / "template.yaml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Stack(json.loads(done.stdout)["Resources"])
