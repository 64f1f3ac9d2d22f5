"""Jobs do not affect each other, share the time, and are selected by name."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, cast

import pytest

from housekeeping.failing_items import FailingItems
from housekeeping.runner import Job, JobRunner, requested
from housekeeping.tools import Tools
from scheduler.deadline import Deadline
from scheduler.observability.emf import Metrics
from tests.support.world import NOW

NO_LIMIT = Deadline(float("inf"))
OVER = Deadline(0)


class FakeTools:
    """The part of the tools that the runner uses."""

    failing = FailingItems()

    @staticmethod
    def clock() -> datetime:
        return NOW


TOOLS = cast("Tools", FakeTools())


def job(*chunks: int, log: list[str] | None = None) -> Job:
    def run(_tools: Tools, _metrics: Metrics) -> Iterator[int]:
        for count in chunks:
            if log is not None:
                log.append(f"chunk of {count}")
            yield count

    return run


def failing(_tools: Tools, metrics: Metrics) -> Iterator[int]:
    metrics.add("scheduler_counted_before_total", 1)
    yield 2
    raise RuntimeError("the database failed")


def endless(_tools: Tools, _metrics: Metrics) -> Iterator[int]:
    while True:
        yield 1


def written(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    """Return the metric documents by job."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    return {line["job"]: line for line in lines}


def test_the_counts_of_all_chunks_are_added() -> None:
    result = JobRunner({"purge": job(500, 500, 3)}, TOOLS).run(["purge"], NO_LIMIT)

    assert result == {"purge": {"status": "done", "handled": 1003}}


def test_a_failing_job_does_not_stop_the_others() -> None:
    runner = JobRunner({"first": job(1), "bad": failing, "last": job(3)}, TOOLS)

    result = runner.run(["first", "bad", "last"], NO_LIMIT)

    assert result == {
        "first": {"status": "done", "handled": 1},
        "bad": {"status": "failed", "handled": 2},
        "last": {"status": "done", "handled": 3},
    }


def test_a_job_stops_after_a_chunk_when_its_time_is_over_and_the_next_one_starts() -> None:
    runner = JobRunner({"endless": endless, "last": job(7, 7)}, TOOLS)

    result = runner.run(["endless", "last"], OVER)

    assert result == {
        "endless": {"status": "unfinished", "handled": 1},
        "last": {"status": "unfinished", "handled": 7},
    }


def test_a_job_does_not_start_another_chunk_when_its_time_is_over() -> None:
    log: list[str] = []

    JobRunner({"purge": job(1, 2, 3, log=log)}, TOOLS).run(["purge"], OVER)

    assert log == ["chunk of 1"]


@pytest.mark.parametrize("deadline", [NO_LIMIT, OVER])
def test_a_job_with_a_failed_item_fails_even_if_its_time_is_over(
    deadline: Deadline,
) -> None:
    def one_fails(tools: Tools, _metrics: Metrics) -> Iterator[int]:
        tools.failing.begin("bad", NO_LIMIT)  # its time is over after the failure
        tools.failing.add("r1", ValueError("refused"))
        yield 3

    result = JobRunner({"bad": one_fails, "good": job(4)}, TOOLS).run(["bad", "good"], deadline)

    assert result["bad"] == {"status": "failed", "handled": 3}
    assert result["good"]["status"] != "failed"


def test_a_job_whose_items_all_fail_stops_when_its_time_is_over() -> None:
    attempts: list[Sequence[str]] = []

    def all_fail(tools: Tools, _metrics: Metrics) -> Iterator[int]:
        yield from tools.failing.apart([f"r{n}" for n in range(100)], attempt, str)

    def attempt(items: Sequence[str]) -> int:
        attempts.append(items)
        raise ValueError("refused")

    result = JobRunner({"bad": all_fail}, TOOLS).run(["bad"], OVER)

    assert result == {"bad": {"status": "failed", "handled": 0}}
    assert [items for items in attempts if len(items) == 1] == [["r0"]]


def test_every_job_writes_its_metrics_even_if_it_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    JobRunner({"bad": failing, "good": job(4)}, TOOLS).run(["bad", "good"], NO_LIMIT)

    metrics = written(capsys)

    assert metrics["bad"]["scheduler_counted_before_total"] == 1
    assert metrics["bad"]["scheduler_housekeeping_runs_total"] == 1
    assert metrics["bad"]["status"] == "failed"
    assert metrics["good"]["scheduler_housekeeping_handled_total"] == 4
    assert metrics["good"]["status"] == "done"


KNOWN = {"expire": job(), "warn": job(), "purge": job()}


@pytest.mark.parametrize(
    "event", [{}, {"source": "aws.events", "detail-type": "Scheduled Event"}, None, [], "x"]
)
def test_an_event_without_jobs_runs_all_jobs(event: object) -> None:
    assert requested(event, KNOWN) == ["expire", "warn", "purge"]


def test_jobs_run_once_in_the_requested_order() -> None:
    assert requested({"jobs": ["purge", "expire", "purge"]}, KNOWN) == ["purge", "expire"]


def test_an_empty_list_runs_no_job() -> None:
    assert requested({"jobs": []}, KNOWN) == []


@pytest.mark.parametrize(
    "jobs", ["expire", None, {"expire": 1}, [["expire"]], ["expire", "exprie"]]
)
def test_an_invalid_request_is_refused_with_the_names_of_the_jobs(jobs: object) -> None:
    with pytest.raises(ValueError, match="some of expire, warn, purge; it is"):
        requested({"jobs": jobs}, KNOWN)
