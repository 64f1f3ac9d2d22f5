"""Recovery is measured from the kill to the first work after it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.account import Balance
from tests.faults.drill import Drill
from tests.faults.errorlog import logged_errors
from tests.faults.figures import percentile, recovery, rows
from tests.faults.invocations import Invocation, Invocations
from tests.faults.plan import Plan
from tests.faults.points import CrashPoint
from tests.faults.records import Death, Moment
from tests.faults.sabotage import Outage

if TYPE_CHECKING:
    from pathlib import Path

_NOTHING = Balance(frozenset(), frozenset(), Counter(), frozenset())


def _drill(**fields: Any) -> Drill:  # noqa: ANN401 - whatever a Drill has
    default: dict[str, Any] = {
        "plan": Plan(seed=1, events=10),
        "distinct": 10,
        "sent": 12,
        "confirmed": 11,
        "first": _NOTHING,
        "final": _NOTHING,
        "dead": {},
        "logged": 0,
        "deaths": [],
        "outages": [],
        "commits": [],
        "invocations": Invocations(),
        "seconds": 1.0,
    }
    return Drill(**{**default, **fields})


def _returned(*moments: tuple[str, float, float]) -> Invocations:
    return Invocations([Invocation(queue, began, ended, {}) for queue, began, ended in moments])


def test_the_function_has_recovered_when_its_queue_commits_again() -> None:
    death = Death(10.0, "q", CrashPoint.BEFORE_LOAD)
    commits = [Moment(9.9, "q"), Moment(10.1, "other"), Moment(11.0, "q")]

    assert recovery(_drill(deaths=[death], commits=commits))["function"] == [1.0]


def test_the_function_has_recovered_when_an_invocation_of_its_queue_returns() -> None:
    death = Death(10.0, "q", CrashPoint.BEFORE_LOAD)
    invocations = _returned(("q", 8.0, 9.0), ("other", 10.0, 10.5), ("q", 11.0, 12.0))

    assert recovery(_drill(deaths=[death], invocations=invocations))["function"] == [2.0]


def test_a_process_that_dies_between_invocations_leaves_nothing_to_recover() -> None:
    death = Death(10.0, "q", CrashPoint.AFTER_RETURN)

    assert recovery(_drill(deaths=[death]))["function"] == []


def test_the_database_has_recovered_at_the_first_commit_after_its_restart() -> None:
    outage = Outage("MariaDB", killed_at=10.0, started_at=11.0)

    found = recovery(
        _drill(outages=[outage], commits=[Moment(at, "q") for at in (9.0, 10.01, 13.0, 14.0)])
    )

    assert found["MariaDB"] == [3.0]


def test_the_broker_has_recovered_with_the_first_batch_it_delivers_again() -> None:
    outage = Outage("RabbitMQ", killed_at=10.0, started_at=11.0)
    invocations = _returned(("q", 9.5, 12.0), ("q", 17.0, 18.0))

    assert recovery(_drill(outages=[outage], invocations=invocations))["RabbitMQ"] == [8.0]


@pytest.mark.parametrize(("share", "value"), [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0)])
def test_percentiles_are_measured_values(share: float, value: float) -> None:
    assert percentile([float(number) for number in range(1, 101)], share) == value


def test_the_account_names_what_was_lost_and_what_was_doubled() -> None:
    bad = Balance(frozenset(), frozenset({"e7"}), Counter({("released", "a1"): 2}), frozenset())

    account = dict(rows(_drill(final=bad)))

    assert account["lost"] == "1: e7"
    assert account["doubled"] == "2: ('released', 'a1')"


def test_an_error_log_counts_only_with_its_payload(tmp_path: Path) -> None:
    (tmp_path / "queue.log").write_text(
        '{"outcome": "error", "message_id": "e1", "payload": "{}"}\n'
        '{"outcome": "error", "message_id": "e2"}\n'
        '{"outcome": "success", "message_id": "e3"}\n'
        '{"outcome": "error", "message_id": "e4", "pay'
    )

    assert logged_errors(tmp_path) == {"e1"}
