"""Clients that are generated from the OpenAPI document allocate and release a device.

`make test` installs both generators, the one for TypeScript if there is npm.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final

from allocation_api.resources.openapi import DOCUMENT
from tests.support.programs import CLIENTS_BIN, CONTRACTS, NODE_BIN, needs_npm, require

if TYPE_CHECKING:
    from pathlib import Path

    from local.gateway.tokens import TokenIssuer

PRINTED: Final = "RELEASED user_request: Released by the user\nnot_found\n"


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a program that must succeed and return what it prints."""
    path = os.pathsep.join((str(CLIENTS_BIN), os.environ["PATH"]))
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


@needs_npm
def test_a_typescript_client_compiles_and_works(api_url: str, issuer: TokenIssuer) -> None:
    require(NODE_BIN, "contracts")
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


def test_a_python_client_is_generated_without_warnings_and_works(
    api_url: str, issuer: TokenIssuer, tmp_path: Path
) -> None:
    require(CLIENTS_BIN, "clients")
    token = issuer.issue_token("user-123", admin=False)

    generated = run(
        *(CLIENTS_BIN / "openapi-python-client", "generate", "--path", DOCUMENT),
        *("--meta", "none", "--output-path", tmp_path / "cloud_phone_scheduler_client"),
        *("--fail-on-warning",),
        cwd=tmp_path,
    )
    printed = run(
        *(CLIENTS_BIN / "python", CONTRACTS / "check/client/client.py"),
        cwd=tmp_path,
        API=api_url,
        TOKEN=token,
        PYTHONPATH=str(tmp_path),
    )

    assert len(generated.splitlines()) == 1  # "Generating …"; warnings would follow
    assert printed == PRINTED
