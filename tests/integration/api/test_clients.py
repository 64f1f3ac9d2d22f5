"""Clients that are generated from the OpenAPI document allocate and release a device.

`make contracts` installs the generator for TypeScript, `make clients` also the one for Python.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from allocation_api.resources.openapi import DOCUMENT
from local.paths import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from local.gateway.tokens import TokenIssuer

CONTRACTS: Final = ROOT / "contracts"
NODE_BIN: Final = CONTRACTS / "node_modules/.bin"
PYTHON_BIN: Final = ROOT / ".venv-clients/bin"
PRINTED: Final = "RELEASED user_request: Released by the user\nnot_found\n"


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a program that must succeed and return what it prints."""
    path = os.pathsep.join((str(PYTHON_BIN), os.environ["PATH"]))
    done = subprocess.run(
        command,
        cwd=cwd,
        env={"PATH": path, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(not NODE_BIN.is_dir(), reason="not installed; run `make contracts`")
def test_a_typescript_client_compiles_and_works(api_url: str, issuer: TokenIssuer) -> None:
    token = issuer.issue_token("user-123", admin=False)
    types = CONTRACTS / "build/api.d.ts"

    run(
        *(NODE_BIN / "openapi-typescript", DOCUMENT, "--output", types),
        "--default-non-nullable=false",
        cwd=CONTRACTS,
    )
    run(NODE_BIN / "tsc", "--project", "check/client", cwd=CONTRACTS)
    program = "build/check/client/client.js"
    printed = run("node", program, cwd=CONTRACTS, API=api_url, TOKEN=token)

    assert printed == PRINTED


@pytest.mark.skipif(not PYTHON_BIN.is_dir(), reason="not installed; run `make clients`")
def test_a_python_client_is_generated_without_warnings_and_works(
    api_url: str, issuer: TokenIssuer, tmp_path: Path
) -> None:
    token = issuer.issue_token("user-123", admin=False)

    generated = run(
        *(PYTHON_BIN / "openapi-python-client", "generate", "--path", DOCUMENT),
        *("--meta", "none", "--output-path", tmp_path / "cloud_phone_scheduler_client"),
        *("--fail-on-warning",),
        cwd=tmp_path,
    )
    printed = run(
        *(PYTHON_BIN / "python", CONTRACTS / "check/client/client.py"),
        cwd=tmp_path,
        API=api_url,
        TOKEN=token,
        PYTHONPATH=str(tmp_path),
    )

    assert len(generated.splitlines()) == 1  # "Generating …"; warnings would follow
    assert printed == PRINTED
