"""The steps of a smoke run: what is reported, and what is still done after a failure."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from operations import smoke as smokes
from operations.context import OperationContext
from operations.errors import OpsError
from operations.scheduled import run_canary
from operations.smoke import SmokeArguments, smoke
from operations.smoke_steps import STEPS, Canary, CheckFailedError, Step
from scheduler.deadline import NEVER, Deadline

if TYPE_CHECKING:
    from datetime import timedelta


def nowhere() -> str:
    raise AssertionError("no server is needed")


def context(deadline: Deadline = NEVER) -> OperationContext:
    return OperationContext(nowhere, nowhere, deadline=deadline)


class Steps:
    """Steps that note what they do, instead of those of the product."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self._monkeypatch = monkeypatch

    def are(self, *steps: Step) -> None:
        self._monkeypatch.setattr(smokes, "STEPS", steps)

    def step(self, name: str, holds: Any = lambda _: True, **about: bool) -> Step:  # noqa: ANN401 - a function
        return Step(name, "device-events", lambda _: self.done.append(name), holds, **about)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(monkeypatch)


def outcomes(result: dict[str, Any]) -> list[bool | None]:
    return [one["passed"] for one in result["checks"]]


def fails(_: Canary) -> bool:
    raise CheckFailedError("dead_lettered: a bug")


def test_after_a_failure_only_cleaning_is_done(steps: Steps) -> None:
    steps.are(
        steps.step("a"), steps.step("b", fails), steps.step("c"), steps.step("d", cleans=True)
    )

    result = smoke(context(), SmokeArguments())

    assert outcomes(result) == [True, False, None, True]
    assert steps.done == ["a", "b", "d"]
    assert result["checks"][1]["detail"] == "dead_lettered: a bug; see the log of device-events"


def test_step_that_takes_too_long_fails_and_names_the_log(
    steps: Steps, monkeypatch: pytest.MonkeyPatch
) -> None:
    short: timedelta = smokes._STEP_TAKES * 0
    monkeypatch.setattr(smokes, "_STEP_TAKES", short)
    steps.are(steps.step("a", lambda _: False), steps.step("b", cleans=True))

    result = smoke(context(), SmokeArguments())

    assert outcomes(result) == [False, True]
    assert "see the log of device-events" in result["checks"][0]["detail"]


def test_call_that_is_over_continues_without_acting_again(steps: Steps) -> None:
    answers = iter([False, True])
    steps.are(steps.step("a"), steps.step("b", lambda _: next(answers)))
    over = context(Deadline(time.monotonic()))

    first = smoke(over, SmokeArguments())
    second = smoke(over, SmokeArguments.model_validate(first["next"]))

    assert (outcomes(first), outcomes(second)) == ([True], [True])
    assert second["next"] is None
    assert first["canary"] == second["canary"]
    assert steps.done == ["a", "b"]


def test_gentle_run_leaves_out_what_alarms_watch(steps: Steps) -> None:
    steps.are(steps.step("a"), steps.step("b", thorough=True))

    smoke(context(), SmokeArguments(thorough=False))

    assert steps.done == ["a"]


def test_gentle_run_needs_neither_failures_nor_letters() -> None:
    gentle = [one.name for one in STEPS if not one.thorough]

    assert not [name for name in gentle if "letter" in name or "redelivered" in name]
    assert STEPS[-1].cleans
    assert not STEPS[-1].thorough


def unreachable(_: Canary) -> bool:
    raise OpsError("cannot reach the broker")


@pytest.mark.parametrize(
    ("holds", "deadline", "passed"),
    [
        (lambda _: True, NEVER, True),
        (fails, NEVER, False),
        (unreachable, NEVER, False),
        (lambda _: False, Deadline(0), False),
    ],
    ids=["passes", "fails", "unreachable", "unfinished"],
)
def test_scheduled_canary_measures_whether_all_checks_passed(
    steps: Steps,
    capsys: pytest.CaptureFixture[str],
    holds: Any,  # noqa: ANN401 - a function
    deadline: Deadline,
    *,
    passed: bool,
) -> None:
    steps.are(steps.step("a", holds), steps.step("b", cleans=True))

    assert run_canary(context(deadline)) == {"passed": passed}

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    metric = "scheduler_canary_passed"
    assert [line[metric] for line in lines if metric in line] == [int(passed)]
