"""Metrics become few EMF documents, which CloudWatch accepts."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.observability.emf import Metrics, Unit
from tests.support.world import NOW

NAMES = st.sampled_from(["consumed", "released", "size"])
LABELS = st.dictionaries(st.sampled_from(["event_type", "status", "reason"]), st.sampled_from("ab"))


def documents(metrics: Metrics) -> list[dict[str, Any]]:
    return list(metrics.documents(NOW))


def figures(document: dict[str, Any]) -> list[tuple[str, tuple[tuple[str, str], ...], Any]]:
    """Read a document as CloudWatch does: value and dimensions of each metric."""
    found = []
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for dimensions in directive["Dimensions"]:
            labels = tuple(sorted((name, document[name]) for name in dimensions))
            found += [(m["Name"], labels, document[m["Name"]]) for m in directive["Metrics"]]
    return found


def test_counter_becomes_an_emf_document() -> None:
    metrics = Metrics()
    metrics.add("consumed", 1, event_type="device.failed", status="success")

    assert documents(metrics) == [
        {
            "_aws": {
                "Timestamp": int(NOW.timestamp() * 1000),
                "CloudWatchMetrics": [
                    {
                        "Namespace": "CloudPhone/Scheduler",
                        "Dimensions": [["event_type", "status"]],
                        "Metrics": [{"Name": "consumed", "Unit": "Count"}],
                    }
                ],
            },
            "event_type": "device.failed",
            "status": "success",
            "consumed": 1,
        }
    ]


def test_namespace_can_be_set_for_each_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "CloudPhone/Other")
    metrics = Metrics()
    metrics.add("consumed", 1)

    (document,) = documents(metrics)
    assert document["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "CloudPhone/Other"


def test_values_with_the_same_labels_are_added() -> None:
    metrics = Metrics()
    for _ in range(3):
        metrics.add("consumed", 2, status="success")

    assert figures(documents(metrics)[0]) == [("consumed", (("status", "success"),), 6)]


def test_state_has_its_last_value() -> None:
    metrics = Metrics()
    for depth in (5, 3):
        metrics.set("depth", depth, queue="q")

    assert figures(documents(metrics)[0]) == [("depth", (("queue", "q"),), 3)]


def test_single_observation_is_a_number_and_several_are_a_list() -> None:
    metrics = Metrics()
    metrics.observe("size", [100])
    metrics.observe("lag", [0.5, 0.25], Unit.SECONDS)
    metrics.observe("duration", [], Unit.SECONDS)

    assert [(name, value) for name, _, value in figures(documents(metrics)[0])] == [
        ("size", 100),
        ("lag", [0.25, 0.5]),
    ]


def test_metrics_with_compatible_labels_share_a_document() -> None:
    metrics = Metrics()
    metrics.add("consumed", 97, event_type="device.failed", status="success")
    metrics.add("consumed", 3, event_type="device.failed", status="invalid")
    metrics.add("released", 5, reason="device_failed")
    metrics.add("size", 100)
    metrics.observe("duration", [0.25], Unit.SECONDS, event_type="device.failed")

    assert [len(figures(document)) for document in documents(metrics)] == [4, 1]


def test_without_metrics_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    Metrics().flush(NOW)

    assert capsys.readouterr().out == ""


def test_each_document_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    metrics = Metrics()
    metrics.add("consumed", 1, status="a")
    metrics.add("consumed", 1, status="b")

    metrics.flush(NOW)

    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["a", "b"]


@given(st.lists(st.tuples(NAMES, LABELS, st.integers(1, 9)), max_size=20))
def test_every_value_is_written_once_with_its_labels(
    added: list[tuple[str, dict[str, str], int]],
) -> None:
    metrics, expected = Metrics(), dict[tuple[str, tuple[tuple[str, str], ...]], int]()
    for name, labels, value in added:
        metrics.add(name, value, **labels)
        key = (name, tuple(sorted(labels.items())))
        expected[key] = expected.get(key, 0) + value

    written = [figure for document in documents(metrics) for figure in figures(document)]

    assert sorted(written) == sorted((*key, value) for key, value in expected.items())
