"""What the function's log says of messages it gave up: the only trace of informational ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def logged_errors(log_dir: Path) -> frozenset[str]:
    """Return the ids of messages that were acknowledged with an error log and their payload."""
    return frozenset(
        str(line["message_id"])
        for file in log_dir.glob("*.log")
        for line in _json_lines(file)
        if line.get("outcome") == "error" and line.get("payload")
    )


def _json_lines(file: Path) -> Iterator[dict[str, object]]:
    for text in file.read_text(encoding="utf-8").splitlines():
        # A process that dies while it writes leaves half a line, a crash of Python a traceback.
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if isinstance(line, dict):
            yield line
