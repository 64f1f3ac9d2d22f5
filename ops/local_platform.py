"""Finds the local platform: ``.local/endpoints.json`` of this checkout."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.request import urlopen

if TYPE_CHECKING:
    from operations.context import EventOutcomes

_STATE_VARIABLE: Final = "CLOUDPHONE_STATE_DIR"
_CHECKOUT: Final = Path(__file__).resolve().parent.parent
_FILE: Final = "endpoints.json"
_CONSUMED: Final = re.compile(r"^scheduler_event_consumed_total\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')
_HTTP_TIMEOUT_SECONDS: Final = 2.0


def endpoints() -> dict[str, Any] | None:
    """Return the addresses of the running local platform; None if it is not running.

    Looked for in ``CLOUDPHONE_STATE_DIR``, else in the checkout that contains this program, else
    in the current folder.
    """
    if given := os.environ.get(_STATE_VARIABLE):
        return _read(Path(given) / _FILE)
    return _read(_CHECKOUT / ".local" / _FILE) or _read(Path.cwd() / ".local" / _FILE)


def outcomes(api_url: str) -> EventOutcomes | None:
    """Return the platform's counts since its start; None if it does not respond."""
    try:
        with urlopen(f"{api_url}/metrics", timeout=_HTTP_TIMEOUT_SECONDS) as response:  # noqa: S310 - the platform's own address
            text = response.read().decode()
    except (OSError, ValueError):
        return None
    counts: EventOutcomes = {}
    for labels, value in _CONSUMED.findall(text):
        named = dict(_LABEL.findall(labels))
        counts.setdefault(named["event_type"], {})[named["status"]] = int(float(value))
    return counts


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found
