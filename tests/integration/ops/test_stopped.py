"""Ctrl-C while a command waits for the operations function says what was done."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.session import Session

from ops.function_url import FunctionUrlOperations
from tests.integration.ops.running import run


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the function returns, in turn, before the operator types Ctrl-C."""
    given: list[dict[str, Any]] = []

    def post(*_: object) -> tuple[int, dict[str, Any]]:
        if not given:
            raise KeyboardInterrupt
        return 200, {"result": given.pop(0)}

    function = FunctionUrlOperations("a-stack", "http://127.0.0.1", Session())
    monkeypatch.setattr(FunctionUrlOperations, "_post", post)
    monkeypatch.setattr(FunctionUrlOperations, "of_stack", lambda _: function)
    monkeypatch.setenv("SCHEDULER_STACK", "a-stack")
    return given


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "some letters may be replayed already; nothing is lost, run the command again"),
        (1, "30 replayed before; nothing is lost, run the command again"),
    ],
)
def test_stopped_replay_reports_its_progress(
    results: list[dict[str, Any]], count: int, said: str
) -> None:
    results += [{"replayed": 30, "total": 40, "sources": {}, "readers": 0, "next": {}}] * count

    result = run("dead-letters", "replay", "--yes")

    assert (result.exit_code, said in result.stderr) == (1, True), result.output


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize("command", ["list", "show", "replay", "discard"])
def test_stopped_reading_says_that_nothing_was_changed(command: str) -> None:
    result = run("dead-letters", command)

    assert result.exit_code == 1
    assert "error: stopped while reading; nothing was changed" in result.stderr
