"""Checks a deployment with a canary, which goes through all of its parts."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, Field

from operations.context import Arguments, Moment
from operations.smoke_steps import STEPS, Canary, CheckFailedError
from scheduler.ids import is_uuid, uuid7

if TYPE_CHECKING:
    from operations.context import OperationContext
    from operations.smoke_steps import Step

_STEP_TAKES: Final = timedelta(seconds=60)
"""How long a step may take; then it has failed."""
_POLL_SECONDS: Final = 0.25


def _uuid(text: str) -> str:
    if not is_uuid(text):
        raise ValueError("must be a UUID")
    return text


class SmokeArguments(Arguments):
    """Where a run continues; its first call has only ``thorough``.

    Attributes:
        thorough: also check what alarms watch: a failing batch, and a dead letter.
        run: the id of the run.
        step: the number of the next step.
        since: when that step began, if it did.
        failed: whether a step before it has failed, so that only cleaning is left.
    """

    thorough: bool = True
    run: Annotated[str, AfterValidator(_uuid)] | None = None
    step: int = Field(default=0, ge=0, le=len(STEPS))
    since: Moment | None = None
    failed: bool = False


def smoke(context: OperationContext, arguments: SmokeArguments) -> dict[str, Any]:
    """Do steps of a run until the call's time is up, and return the checks that have a result.

    A run that is not continued leaves rows that housekeeping deletes, and at most one dead letter
    that the next thorough run removes.

    Raises:
        OpsError: broker or database cannot be reached.
    """
    steps = [one for one in STEPS if arguments.thorough or not one.thorough]
    canary = Canary(context, arguments.run or uuid7())
    failed, since = arguments.failed, arguments.since
    checks: list[dict[str, Any]] = []
    for number in range(arguments.step, len(steps)):
        one = steps[number]
        if failed and not one.cleans:
            checks.append({"check": one.name, "passed": None, "seconds": 0, "detail": ""})
            continue
        began = since or datetime.now(UTC)
        passed, detail = _done(one, canary, began, begin=since is None)
        if passed is None:
            following = {"run": canary.run, "step": number, "since": began.isoformat()}
            return _result(canary, checks, following | {"failed": failed})
        seconds = (datetime.now(UTC) - began).total_seconds()
        checks.append({"check": one.name, "passed": passed, "seconds": seconds, "detail": detail})
        failed, since = failed or not passed, None
    return _result(canary, checks, None)


def _done(step: Step, canary: Canary, began: datetime, *, begin: bool) -> tuple[bool | None, str]:
    """Do a step until it has a result or the call ends; return whether it passed, and why not."""
    try:
        if begin:
            step.act(canary)
        while not step.holds(canary):
            if datetime.now(UTC) - began > _STEP_TAKES:
                why = f"not within {_STEP_TAKES.seconds} s; see the log of {step.function}"
                return False, why
            if canary.context.deadline.passed:
                return None, ""
            time.sleep(_POLL_SECONDS)
    except CheckFailedError as error:
        return False, f"{error}; see the log of {step.function}"
    return True, ""


def _result(
    canary: Canary, checks: list[dict[str, Any]], following: dict[str, Any] | None
) -> dict[str, Any]:
    return {"canary": canary.id, "checks": checks, "next": following}
