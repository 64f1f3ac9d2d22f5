"""``make audit`` never reports packages as safe that it has not looked up."""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING, Any

import pytest

from local.paths import ROOT

if TYPE_CHECKING:
    from types import ModuleType

SAFE = {"name": "pika", "version": "1.4.2", "vulns": []}
SKIPPED = {"name": "tzdata", "skip_reason": "Dependency not found"}
VULNERABLE = {
    "name": "urllib3",
    "version": "2.0.0",
    "vulns": [{"id": "GHSA-1", "fix_versions": ["2.0.7"]}],
}


@pytest.fixture
def audit() -> ModuleType:
    spec = spec_from_file_location("audit", ROOT / "requirements/audit.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def printing(text: str, code: int = 0) -> tuple[str, ...]:
    """Return a command that prints a text in place of pip-audit."""
    return (sys.executable, "-c", f"import sys; print({text!r}); sys.exit({code})")


@pytest.mark.parametrize(
    ("dependencies", "code", "said"),
    [
        ([SAFE], 0, "x.txt: 1 packages, no vulnerability is known"),
        ([SAFE, VULNERABLE], 1, "urllib3 2.0.0: GHSA-1, fixed in 2.0.7"),
        ([SAFE, SKIPPED], 2, "NOT AUDITED: not found: tzdata"),
        ([VULNERABLE, SKIPPED], 2, "NOT AUDITED"),
    ],
)
def test_code_and_text_contain_what_is_known(
    audit: ModuleType,
    capsys: pytest.CaptureFixture[str],
    dependencies: list[dict[str, Any]],
    code: int,
    said: str,
) -> None:
    command = printing(json.dumps({"dependencies": dependencies}))

    assert audit.main(["x.txt"], command) == code
    assert said in capsys.readouterr().out


def test_unreachable_database_is_reported(
    audit: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.main(["x.txt"], printing("no JSON", 1)) == 2
    assert "NOT AUDITED" in capsys.readouterr().out
