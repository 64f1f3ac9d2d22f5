"""CloudWatch metrics in the functions' logs become Prometheus metrics."""

from __future__ import annotations

import ast
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local.gateway.metrics import GAUGES, EmfCollector
from local.paths import ROOT
from scheduler.observability.emf import Metrics, Unit

if TYPE_CHECKING:
    from pathlib import Path


def _lines(*documents: object) -> str:
    return "".join(json.dumps(document) + "\n" for document in documents)


def _powertools(name: str, value: object, **dimensions: str) -> dict[str, Any]:
    directive = {
        "Namespace": "CloudPhone/Scheduler",
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, "Unit": "Count"}],
    }
    return {"_aws": {"Timestamp": 1, "CloudWatchMetrics": [directive]}, name: value, **dimensions}


def _samples(collector: EmfCollector) -> list[str]:
    return [line for line in collector.text().decode().splitlines() if not line.startswith("#")]


def test_metrics_of_all_functions_are_summed(tmp_path: Path) -> None:
    for queue in ("a", "b"):
        metrics = Metrics()
        name = "scheduler_event_consumed_total"
        metrics.add(name, 2, event_type="device.failed", status="success")
        metrics.add(name, 1, event_type="device.failed", status="invalid")
        metrics.observe("scheduler_batch_size", [3])
        duration = "scheduler_event_processing_duration_seconds"
        metrics.observe(duration, [0.25], Unit.SECONDS, event_type="x")
        (tmp_path / f"{queue}.log").write_text(_lines(*metrics.documents(datetime.now(UTC))))

    assert _samples(EmfCollector(tmp_path)) == [
        "scheduler_batch_size_count 2.0",
        "scheduler_batch_size_sum 6.0",
        'scheduler_event_consumed_total{event_type="device.failed",status="invalid"} 2.0',
        'scheduler_event_consumed_total{event_type="device.failed",status="success"} 4.0',
        'scheduler_event_processing_duration_seconds_count{event_type="x"} 2.0',
        'scheduler_event_processing_duration_seconds_sum{event_type="x"} 0.5',
    ]


def test_metrics_have_prometheus_types(tmp_path: Path) -> None:
    lines = _lines(
        _powertools("scheduler_auto_release_total", 1, reason="device_failed"),
        _powertools("scheduler_batch_size", 1),
        _powertools("scheduler_queue_depth", 1, queue="q"),
    )
    (tmp_path / "a.log").write_text(lines)

    text = EmfCollector(tmp_path).text().decode()

    assert "# TYPE scheduler_auto_release_total counter\n" in text
    assert "# TYPE scheduler_batch_size summary\n" in text
    assert "# TYPE scheduler_queue_depth gauge\n" in text


def test_set_metrics_are_gauges_and_added_metrics_are_counters() -> None:
    names = _metric_names()

    assert names["set"] == GAUGES
    assert {name for name in names["add"] if not name.endswith("_total")} == set()
    assert {name for name in names["observe"] if name.endswith("_total")} == set()


def _metric_names() -> dict[str, set[str]]:
    """Return the names of the metrics in the code of the functions, by method of `Metrics`."""
    found: dict[str, set[str]] = {"add": set(), "set": set(), "observe": set()}
    for folder in ("functions", "layers/scheduler/scheduler"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                match node:
                    case ast.Call(
                        func=ast.Attribute(value=ast.Name("metrics"), attr=method),
                        args=[name, *_],
                    ) if method in found:
                        found[method].add(ast.literal_eval(name))
    return found


def test_only_new_complete_lines_are_read(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    line = _lines(_powertools("n_total", 1))
    log.write_text(line + line[:20])
    collector = EmfCollector(tmp_path)

    assert _samples(collector) == ["n_total 1.0"]
    log.write_text(line + line)
    assert _samples(collector) == ["n_total 2.0"]
    assert _samples(collector) == ["n_total 2.0"]


def test_value_lists_are_summed_and_the_service_is_dropped(tmp_path: Path) -> None:
    one = _powertools("n_total", [1, 2], service="device-events", event_type="x")
    other = _powertools("n_total", 4, service="user-events", event_type="x")
    (tmp_path / "a.log").write_text(_lines(one, other))

    assert _samples(EmfCollector(tmp_path)) == ['n_total{event_type="x"} 7.0']


def test_gauge_has_its_last_value(tmp_path: Path) -> None:
    lines = _lines(*(_powertools("scheduler_queue_depth", n, queue="q") for n in (5, 3)))
    (tmp_path / "a.log").write_text(lines)

    assert _samples(EmfCollector(tmp_path)) == ['scheduler_queue_depth{queue="q"} 3.0']


def test_other_log_lines_are_ignored(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(
        b'plain text\n{"level": "INFO"}\n{"_aws": 1}\n"_aws"\n{"_aws": {"CloudWatchMetrics": '
        b'[{"Metrics": [{"Name": "absent"}]}]}}\n\xff"_aws"\n'
    )

    assert _samples(EmfCollector(tmp_path)) == []


def test_no_logs_mean_no_metrics(tmp_path: Path) -> None:
    assert _samples(EmfCollector(tmp_path / "absent")) == []
