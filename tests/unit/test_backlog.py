"""The simulated backlog of a queue, which docs/scale.md relies on."""

from __future__ import annotations

import pytest

from bench.backlog import simulate
from bench.fleet import write
from bench.measured import batch_times, figure
from local.paths import ROOT


def test_events_that_come_slowly_do_not_wait() -> None:
    found = simulate([0.0, 10.0, 20.0], batch_size=100, fixed=1, each=0.5)

    assert found == (1, 21.5, 1.5)


def test_events_that_come_at_once_wait_for_the_batches_before_them() -> None:
    found = simulate([0.0] * 25, batch_size=10, fixed=1, each=0.1)

    assert (found.longest, found.drained, found.worst_delay) == pytest.approx((25, 5.5, 5.5))


def test_an_event_that_comes_during_a_batch_waits_for_its_end() -> None:
    found = simulate([0.0, 0.5], batch_size=10, fixed=1, each=1)

    assert (found.longest, found.drained, found.worst_delay) == (1, 4.0, 3.5)


def test_tables_about_large_fleets_are_those_of_the_measured_figures() -> None:
    page = (ROOT / "docs/scale.md").read_text("utf-8")

    assert page == write(page), "run python -m bench.fleet --write"


def test_times_of_batches_give_the_measured_rates() -> None:
    times = batch_times("device.failed")

    for size in (1, 100):
        rate = figure("handler", f"device.failed, batch {size}", "per second")
        assert size / (times.fixed + size * times.each) == pytest.approx(rate)
