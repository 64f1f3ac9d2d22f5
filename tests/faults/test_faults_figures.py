"""Recovery is measured from the kill to the first work after it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from scheduler.pipeline.redelivery import KILLED
from tests.faults.account import Differences, DrillBalance
from tests.faults.crash_points import CrashPoint
from tests.faults.drill import DrillReport, is_clean
from tests.faults.drill_plan import DrillPlan
from tests.faults.figures import percentile, recovery, rows
from tests.faults.invocations import CompletedInvocation, InvocationLog
from tests.faults.records import FunctionKill, ProgressMoment, logged_errors
from tests.faults.server_kills import ServerOutage

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.model import Fact

_NOTHING = DrillBalance(
    certain=Differences(),
    without_id=Differences(),
    left_out=0,
    wrongly_rejected=frozenset(),
    applied=0,
    outdated=0,
)


def _drill(**fields: Any) -> DrillReport:  # noqa: ANN401 - any field of DrillReport
    default: dict[str, Any] = {
        "plan": DrillPlan(seed=1, events=10),
        "distinct": 10,
        "sent": 12,
        "confirmed": 11,
        "balance": _NOTHING,
        "replayed": frozenset(),
        "held": 0,
        "dead": {},
        "logged": 0,
        "function_kills": [],
        "network_faults": Counter(),
        "outages": [],
        "commits": [],
        "invocations": InvocationLog(),
        "seconds": 1.0,
    }
    return DrillReport(**{**default, **fields})


def _returned(*moments: tuple[str, float, float]) -> InvocationLog:
    return InvocationLog(
        [CompletedInvocation(queue, began, ended, {}) for queue, began, ended in moments]
    )


def test_function_has_recovered_when_its_queue_commits_again() -> None:
    kill = FunctionKill(10.0, "q", CrashPoint.BEFORE_LOAD)
    commits = [ProgressMoment(9.9, "q"), ProgressMoment(10.1, "other"), ProgressMoment(11.0, "q")]

    assert recovery(_drill(function_kills=[kill], commits=commits))["function"] == [1.0]


def test_function_has_recovered_when_an_invocation_of_its_queue_returns() -> None:
    kill = FunctionKill(10.0, "q", CrashPoint.BEFORE_LOAD)
    invocations = _returned(("q", 8.0, 9.0), ("other", 10.0, 10.5), ("q", 11.0, 12.0))

    assert recovery(_drill(function_kills=[kill], invocations=invocations))["function"] == [2.0]


def test_kill_between_invocations_has_no_recovery() -> None:
    kill = FunctionKill(10.0, "q", CrashPoint.AFTER_RETURN)

    assert recovery(_drill(function_kills=[kill]))["function"] == []


def test_database_has_recovered_at_the_first_commit_after_its_restart() -> None:
    outage = ServerOutage("MariaDB", killed_at=10.0, started_at=11.0)

    found = recovery(
        _drill(
            outages=[outage], commits=[ProgressMoment(at, "q") for at in (9.0, 10.01, 13.0, 14.0)]
        )
    )

    assert found["MariaDB"] == [3.0]


def test_broker_has_recovered_with_the_first_batch_after_its_restart() -> None:
    outage = ServerOutage("RabbitMQ", killed_at=10.0, started_at=11.0)
    invocations = _returned(("q", 9.5, 12.0), ("q", 17.0, 18.0))

    assert recovery(_drill(outages=[outage], invocations=invocations))["RabbitMQ"] == [8.0]


@pytest.mark.parametrize(("share", "value"), [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0)])
def test_percentiles_are_measured_values(share: float, value: float) -> None:
    assert percentile([float(number) for number in range(1, 101)], share) == value


def test_account_lists_what_is_lost_doubled_and_wrong() -> None:
    bad = replace(
        _NOTHING,
        certain=Differences(
            lost=Counter({("processed", "e7"): 1}), doubled=Counter({("released", "a1"): 2})
        ),
        without_id=Differences(wrong={("user", "u1"): "suspended, expected active"}),
    )

    account = dict(rows(_drill(balance=bad)))

    assert account["lost"] == "1: processed e7"
    assert account["doubled"] == "2: released a1"
    assert account["without an id: wrong"] == "1: user u1"


def test_messages_without_an_id_that_were_taken_for_new_ones_are_counted() -> None:
    doubled: Counter[Fact] = Counter({("processed", "content:1"): 2, ("notified", "u1"): 2})
    unsure = replace(_NOTHING, without_id=Differences(doubled=doubled))

    account = dict(rows(_drill(balance=unsure)))

    expected = "2 messages returned apart from their neighbours"
    assert account["  taken for new ones"] == expected
    assert "  taken for new ones" not in dict(rows(_drill()))
    assert is_clean(_drill(balance=unsure))


def test_difference_hung_invocation_and_undeserved_dead_letter_are_not_clean() -> None:
    doubled = replace(_NOTHING, certain=Differences(doubled=Counter({("released", "a1"): 1})))
    wrong = replace(_NOTHING, certain=Differences(wrong={("user", "u1"): "suspended"}))
    hung = InvocationLog(failed=["Sandbox.Timedout"])
    once = frozenset({"e1"})

    assert is_clean(_drill(replayed=once, dead={"e1": KILLED, "e2": "body is not JSON"}))
    assert not is_clean(_drill(balance=doubled))
    assert not is_clean(_drill(balance=wrong))
    for unsure in (
        Differences(lost=Counter({("processed", "e7"): 1})),
        Differences(wrong={("u",): ""}),
    ):
        assert not is_clean(_drill(balance=replace(_NOTHING, without_id=unsure)))
    assert not is_clean(_drill(invocations=hung))
    assert not is_clean(_drill(replayed=once, dead={"e1": "OperationalError: gone away"}))


def test_error_log_counts_only_with_its_payload(tmp_path: Path) -> None:
    (tmp_path / "queue.log").write_text(
        '{"outcome": "error", "correlation_id": "e1.u1", "payload": "{}"}\n'
        '{"outcome": "error", "correlation_id": "e2"}\n'
        '{"outcome": "success", "correlation_id": "e3"}\n'
        '{"outcome": "error", "correlation_id": "e4", "pay'
    )

    assert logged_errors(tmp_path) == {"e1"}
