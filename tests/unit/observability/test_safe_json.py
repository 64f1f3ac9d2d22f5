"""Log lines contain no character that acts on a terminal or splits a line."""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import unicodedata

from aws_lambda_powertools import Logger
from hypothesis import given
from hypothesis import strategies as st

from local.paths import ROOT
from scheduler.json_text import escape_unsafe, safe_json
from scheduler.messaging.outbound import BrokerUnavailableError, OutboundMessage
from scheduler.observability.log_lines import LogLines
from scheduler.observability.logger import service_logger

UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
EVIL = "a\x1b[2J\x9b31m\x85b\u2028c\u202ed\x7f\r\n设备"


def unsafe(text: str) -> list[str]:
    return [one for one in text if unicodedata.category(one) in UNSAFE]


def test_every_control_format_and_separator_character_is_escaped() -> None:
    every = "".join(map(chr, range(sys.maxunicode + 1)))

    assert not unsafe(safe_json(every))
    assert [one for one in unsafe(every) if unsafe(safe_json(one))] == []


@given(st.text())
def test_escaping_does_not_change_the_meaning(text: str) -> None:
    assert json.loads(safe_json(text)) == text
    assert escape_unsafe(safe_json(text)) == safe_json(text)


def test_readable_text_stays_readable() -> None:
    assert safe_json("设备 é 🙂") == '"设备 é 🙂"'


def test_line_of_the_logger_is_safe_also_in_stack_traces() -> None:
    try:
        int(EVIL)
    except ValueError:
        record = logging.LogRecord("", logging.ERROR, "", 0, EVIL, None, sys.exc_info())

    line = service_logger().registered_formatter.format(record)

    assert not unsafe(line)
    assert json.loads(line)["message"] == EVIL


def test_lines_of_a_batch_are_safe() -> None:
    stream = io.StringIO()
    logger = Logger(service="batch", stream=stream, json_serializer=safe_json)
    lines = LogLines(logger)
    lines.add(logging.INFO, EVIL, {"error": EVIL})
    lines.add(logging.INFO, "second", {})
    lines.flush()

    first, second, end = stream.getvalue().split("\n")
    assert not unsafe(first + second + end)
    assert json.loads(first)["error"] == EVIL


def test_message_id_in_an_error_is_safe() -> None:
    """Lambda itself logs the error of an invocation that failed."""
    message = OutboundMessage("", "queue", b"", {"message_id": EVIL})

    assert not unsafe(str(BrokerUnavailableError(f"could not publish {message}")))
    assert str(OutboundMessage("", "q", b"", {"message_id": "m-1"})) == "m-1 to queue q"


def test_functions_use_no_other_logger() -> None:
    files = [*(ROOT / "functions").rglob("*.py"), *(ROOT / "layers").rglob("*.py")]
    makers = [path.name for path in files if re.search(r"\bLogger\(", path.read_text())]

    assert makers == ["logger.py"]
