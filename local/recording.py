"""``make record``: runs the platform and records docs/recording.svg.

The lines of the recording are what the commands printed, at the times at which they printed them;
longer waits are cut to one second.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import textwrap
import time
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from local import LocalError, endpoints
from local.paths import ROOT, STATE_VARIABLE, StateDir

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_RECORDING: Final = ROOT / "docs/recording.svg"
_ALLOCATION_ID: Final = "00000000-0000-7000-8000-000000000001"
"""Of the demo data: user-123 holds device-001."""

_WHY: Final = "jq '{deviceId, releaseReason}'"
_SHOWN: Final = (
    "make up",
    'bin/scheduler-ops publish device.failed deviceId=device-001 reason="Screen is dark"',
    f'curl -s $ALLOCATION -H "Authorization: Bearer $TOKEN" -H Accept-Language:en | {_WHY}',
    "bin/scheduler-ops publish device.failed deviceId=device-001 raeson=dark",
)
_DOWN: Final = (sys.executable, "-m", "local", "down")
_LONGEST_WAIT: Final = 1.0
_TYPING: Final = 0.02
"""Seconds that a character of a command takes."""
_READING: Final = 1.5
"""Seconds after a command's output."""

_COLUMNS: Final = 108
_CHARACTER: Final = 7.8
_LINE: Final = 18
_MARGIN: Final = 16
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")
_HEAD: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" role="img">
<title>Starting the platform, publishing an event, and reading why the device was released</title>
<style>text {{ font: 13px ui-monospace, Menlo, Consolas, monospace; fill: #d1d9e0; }}
text {{ visibility: hidden; white-space: pre; }} .command {{ fill: #7ee787; }}</style>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
"""


class ShownLine(NamedTuple):
    """A line of the recording, and the seconds after which it appears."""

    at: float
    text: str
    is_command: bool = False


def main() -> None:
    """Write the file; the platform is a new one that is stopped and deleted afterwards."""
    with _platform_variables() as variables:
        _RECORDING.write_text(_svg(list(_recorded(variables))), "utf-8")
    print(f"Wrote {_RECORDING.relative_to(ROOT)}")


@contextmanager
def _platform_variables() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory() as state:
        variables = {**os.environ, STATE_VARIABLE: state, "COLUMNS": str(_COLUMNS)}
        try:
            yield variables
        finally:
            subprocess.run(_DOWN, cwd=ROOT, env=variables, check=True)


def _recorded(variables: dict[str, str]) -> Iterator[ShownLine]:
    now = 0.5
    for command in _SHOWN:
        for part in _wrapped(f"$ {command}"):
            yield ShownLine(now, part, is_command=True)
        now += len(command) * _TYPING
        for waited, text in _run(command, variables):
            now += min(waited, _LONGEST_WAIT)
            for part in _wrapped(text.replace(variables[STATE_VARIABLE], ".local")):
                yield ShownLine(now, part)
        now += _READING
        if command == _SHOWN[0]:
            found = _endpoints(variables)
            url = f"{found['api']}/api/allocations/{_ALLOCATION_ID}"
            variables |= {"ALLOCATION": url, "TOKEN": found["tokens"]["user-123"]}


def _run(command: str, variables: Mapping[str, str]) -> Iterator[tuple[float, str]]:
    """Run a command and yield its lines, each with the seconds since the one before."""
    before = time.monotonic()
    with subprocess.Popen(
        ["bash", "-c", command],  # noqa: S607 - our own commands, as a user types them
        cwd=ROOT,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout  # noqa: S101 - PIPE
        for line in process.stdout:
            now = time.monotonic()
            if text := _ESCAPES.sub("", line).rstrip():
                yield now - before, text
                before = now


def _endpoints(variables: Mapping[str, str]) -> dict[str, Any]:
    found = endpoints.read(StateDir(Path(variables[STATE_VARIABLE])).endpoints)
    if found is None:
        raise LocalError("the platform did not start")
    return found


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _COLUMNS, replace_whitespace=False, drop_whitespace=False) or [""]


def _svg(lines: list[ShownLine]) -> str:
    height = len(lines) * _LINE + 2 * _MARGIN
    parts = [_HEAD.format(width=_COLUMNS * _CHARACTER + 2 * _MARGIN, height=height)]
    for number, line in enumerate(lines, start=1):
        style = ' class="command"' if line.is_command else ""
        y = number * _LINE + _MARGIN - 5
        parts.append(
            f'<text x="{_MARGIN}" y="{y}"{style}>{escape(line.text, quote=False)}'
            f'<set attributeName="visibility" to="visible" begin="{line.at:.1f}s"/></text>\n'
        )
    return "".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    main()
