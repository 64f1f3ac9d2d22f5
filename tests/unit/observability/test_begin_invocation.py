"""Which invocation a log line belongs to."""

import json
from collections.abc import Iterator
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from scheduler.observability import logger as loggers
from scheduler.observability.log_lines import LogLines
from scheduler.observability.logger import begin_invocation, service_logger


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(loggers, "_invocations", count())
    yield
    service_logger().remove_keys(["function_request_id", "cold_start"])


def line() -> dict[str, Any]:
    lines = LogLines(service_logger())
    lines.add(30, "Received", {})
    fields: dict[str, Any] = json.loads(lines._lines[0])
    return fields


def test_lines_name_their_invocation_and_the_cold_start() -> None:
    begin_invocation(SimpleNamespace(aws_request_id="r-1"))
    first = line()
    begin_invocation(SimpleNamespace(aws_request_id="r-2"))
    second = line()

    assert (first["function_request_id"], first["cold_start"]) == ("r-1", True)
    assert (second["function_request_id"], second["cold_start"]) == ("r-2", False)


def test_without_a_request_id_nothing_is_added() -> None:
    begin_invocation(None)

    assert "function_request_id" not in line()
