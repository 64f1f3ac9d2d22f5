"""What the functions log, as CloudWatch Logs receives it."""

from __future__ import annotations

import io
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scheduler.pipeline.report import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def logged() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Yield what returns the lines logged since the block began."""
    written = io.StringIO()
    handler: Any = logger.registered_handler
    before = handler.setStream(written)
    try:
        yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    finally:
        handler.setStream(before)
