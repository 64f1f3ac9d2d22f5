"""The log lines of a batch equal those that Powertools writes one by one."""

import io
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from scheduler.observability.log_lines import LogLines
from scheduler.pipeline.report import logger

DETAILS = {
    "event_type": "device.failed",
    "correlation_id": None,
    "attempt": 0,
    "reason": "“设备”\n",
}


@contextmanager
def logging_to(raw: io.BytesIO) -> Iterator[Any]:
    handler: Any = logger.registered_handler
    before = handler.setStream(io.TextIOWrapper(raw, encoding="utf-8", write_through=True))
    try:
        with logger.append_context_keys(tenant="one"):
            yield logger
    finally:
        handler.setStream(before).detach()


def by_powertools(level: int, *batch: Mapping[str, object]) -> list[dict[str, Any]]:
    raw = io.BytesIO()
    with logging_to(raw) as powertools:
        for details in batch:
            powertools.log(level, "Received", extra={**details})
    return parsed(raw)


def by_us(level: int, *batch: Mapping[str, object]) -> list[dict[str, Any]]:
    raw = io.BytesIO()
    with logging_to(raw) as powertools:
        lines = LogLines(powertools)
        for details in batch:
            lines.add(level, "Received", details)
        lines.flush()
    return parsed(raw)


def parsed(raw: io.BytesIO) -> list[dict[str, Any]]:
    """Return the lines without the fields that differ from call to call."""
    lines = [json.loads(line) for line in raw.getvalue().splitlines()]
    return [{k: v for k, v in line.items() if k not in {"timestamp", "location"}} for line in lines]


def test_lines_equal_those_of_powertools() -> None:
    lines = by_us(logging.WARNING, DETAILS, DETAILS)

    assert lines == by_powertools(logging.WARNING, DETAILS, DETAILS)
    assert [line["level"] for line in lines] == ["WARNING", "WARNING"]


def test_lines_below_the_logger_level_are_not_written() -> None:
    assert by_us(logging.DEBUG, DETAILS) == by_powertools(logging.DEBUG, DETAILS) == []


def test_text_that_is_not_utf8_is_written_with_replacements() -> None:
    assert [
        line["reason"] for line in by_us(logging.INFO, {"reason": "\ud800"}, {"reason": "b"})
    ] == [
        "?",
        "b",
    ]
