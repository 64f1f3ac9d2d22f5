"""Jobs are isolated from each other, share the time, and are known by name."""

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest

from housekeeping.runner import Housekeeper, Job, requested
from housekeeping.tools import Tools
from scheduler.deadline import Deadline
from scheduler.observability.emf import Metrics
from tests.support.world import NOW

FOREVER = Deadline(float("inf"))
OVER = Deadline(0)


class FakeTools:
    """All that the runner itself needs."""

    @staticmethod
    def clock() -> Any:  # noqa: ANN401
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
    raise RuntimeError("the database bites")


def endless(_tools: Tools, _metrics: Metrics) -> Iterator[int]:
    while True:
        yield 1


def written(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    """Return the metric documents by job."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    return {line["job"]: line for line in lines}


def test_all_chunks_of_a_job_are_handled() -> None:
    result = Housekeeper({"purge": job(500, 500, 3)}, TOOLS).run(["purge"], FOREVER)

    assert result == {"purge": {"status": "done", "handled": 1003}}


def test_a_failing_job_does_not_stop_the_others() -> None:
    keeper = Housekeeper({"first": job(1), "bad": failing, "last": job(3)}, TOOLS)

    result = keeper.run(["first", "bad", "last"], FOREVER)

    assert result == {
        "first": {"status": "done", "handled": 1},
        "bad": {"status": "failed", "handled": 2},
        "last": {"status": "done", "handled": 3},
    }


def test_a_job_whose_time_is_over_ends_after_its_chunk_and_the_others_begin() -> None:
    keeper = Housekeeper({"endless": endless, "last": job(7, 7)}, TOOLS)

    result = keeper.run(["endless", "last"], OVER)

    assert result == {
        "endless": {"status": "unfinished", "handled": 1},
        "last": {"status": "unfinished", "handled": 7},
    }


def test_a_job_is_not_asked_for_more_than_it_gets_time_for() -> None:
    log: list[str] = []

    Housekeeper({"purge": job(1, 2, 3, log=log)}, TOOLS).run(["purge"], OVER)

    assert log == ["chunk of 1"]


def test_every_job_has_its_metrics_and_keeps_those_of_a_failed_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Housekeeper({"bad": failing, "good": job(4)}, TOOLS).run(["bad", "good"], FOREVER)

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
def test_an_event_that_names_no_jobs_means_all_of_them(event: object) -> None:
    assert requested(event, KNOWN) == ["expire", "warn", "purge"]


def test_jobs_run_in_the_order_in_which_they_are_asked_for_and_once() -> None:
    assert requested({"jobs": ["purge", "expire", "purge"]}, KNOWN) == ["purge", "expire"]


def test_no_job_at_all_can_be_asked_for() -> None:
    assert requested({"jobs": []}, KNOWN) == []


@pytest.mark.parametrize(
    "jobs", ["expire", None, {"expire": 1}, [["expire"]], ["expire", "exprie"]]
)
def test_a_wrong_request_is_told_which_jobs_there_are(jobs: object) -> None:
    with pytest.raises(ValueError, match="some of expire, warn, purge; it is"):
        requested({"jobs": jobs}, KNOWN)
