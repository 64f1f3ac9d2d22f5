"""Runs ``scheduler-ops``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, Final, TextIO

from typer.testing import CliRunner, Result

from ops.__main__ import app

# Python ignores SIGINT if a shell has started it in the background, like the tests may be.
_INTERRUPTIBLE: Final = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("ops", run_name="__main__")
"""


def run(*arguments: str, stdin: str | None = None, **environment: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, arguments, input=stdin, env=environment)


def start(
    *arguments: str,
    stdin: int | None = None,
    stdout: TextIO | int = subprocess.PIPE,
    **environment: str,
) -> subprocess.Popen[str]:
    """Start a command as a process."""
    return subprocess.Popen(
        [sys.executable, "-c", _INTERRUPTIBLE, *arguments],
        env={**os.environ, **environment},
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


class DeadLetters:
    """``scheduler-ops dead-letters`` for a broker."""

    def __init__(self, broker_url: str) -> None:
        self.broker_url = broker_url

    def run(self, *arguments: str, stdin: str | None = None, **environment: str) -> Result:
        """Run a command and return its result."""
        where = ("--broker-url", self.broker_url)
        return run("dead-letters", *arguments, *where, stdin=stdin, **environment)

    def json(self, *arguments: str) -> Any:  # noqa: ANN401 - any JSON
        """Run a command that must succeed and return its JSON output."""
        result = self.run(*arguments, "--json")
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command as a process, to be killed."""
        return start("dead-letters", *arguments, BROKER_URL=self.broker_url)
