"""The Go example compiles and publishes: `make go-example`, because it needs Go of Debian."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final

from tests.support.programs import CONTRACTS
from tests.support.published import is_published_well, taken

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE: Final = CONTRACTS / "examples/publish.go"
PACKAGES: Final = "/usr/share/gocode"
"""Where Debian installs the client, so that nothing is downloaded."""


def run(*command: str | Path, **environment: str) -> str:
    variables = {"PATH": os.environ["PATH"], **environment}
    done = subprocess.run(
        command, env=variables, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_go_example_compiles_and_publishes(broker_url: str, tmp_path: Path) -> None:
    program = tmp_path / "publish"
    go = {"GO111MODULE": "off", "GOPATH": PACKAGES, "GOCACHE": str(tmp_path / "cache")}

    assert run("gofmt", "-l", EXAMPLE) == ""
    run("go", "vet", EXAMPLE, **go)
    run("go", "build", "-o", program, EXAMPLE, **go)
    printed = run(program, AMQP_URL=broker_url)

    properties, body = taken(broker_url, "scheduler.device-failed")
    assert is_published_well(properties, printed, "device-001")
    assert body["reason"] == "Screen is dark"
