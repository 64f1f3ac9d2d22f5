"""A job that runs out of time in a chunk ends that chunk, and the next run continues."""

from __future__ import annotations

import importlib
import sys
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

from housekeeping.runner import JobRunner
from tests.support.functions import NOWHERE, OUTSIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from housekeeping.tools import Tools
    from scheduler.observability.emf import Metrics

_STEP: Final = 0.7
"""Seconds of a chunk. No number of chunks ends at the moment after which statements fail."""
_APP: Final = "housekeeping.app"


def test_single_job_that_used_up_its_time_is_unfinished(
    monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    now = time.monotonic()

    def endless(tools: Tools, _metrics: Metrics) -> Iterator[int]:
        nonlocal now
        while True:
            with tools.database.transaction() as cursor:
                cursor.execute("SELECT 1")
                now += _STEP
                cursor.execute("SELECT 2")
            yield 1

    variables = {"DATABASE_URL": database_url, "BROKER_URL": NOWHERE, **OUTSIDE}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delitem(sys.modules, _APP, raising=False)
    app = importlib.import_module(_APP)
    monkeypatch.delitem(sys.modules, _APP)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(app, "JOBS", {"endless": endless})
    monkeypatch.setattr(app, "_runner", JobRunner({"endless": endless}, app._tools))
    context = SimpleNamespace(
        aws_request_id="r", function_version="1", get_remaining_time_in_millis=lambda: 50_000
    )

    result = app.handler({"jobs": ["endless"]}, context)

    assert result["endless"]["status"] == "unfinished"
    assert result["endless"]["handled"] > 1
    app._tools.database.close()
