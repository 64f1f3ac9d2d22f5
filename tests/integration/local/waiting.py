"""Waiting for what happens in other threads and processes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DEADLINE_SECONDS = 90
"""Only what fails lasts that long; a busy machine may need a good part of it."""


def eventually(condition: Callable[[], bool], what: str) -> None:
    """Return as soon as the condition holds; fail after `DEADLINE_SECONDS`."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.01)
