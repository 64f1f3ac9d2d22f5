"""Writes CloudWatch metrics in the embedded metric format (EMF), in few documents per batch.

Powertools writes one document per set of dimension values. A document may contain several
directives with different dimensions, so metrics whose labels do not contradict each other share
one. Format:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

NAMESPACE: Final = "CloudPhone/Scheduler"
"""The default; stacks of one account set different ones in POWERTOOLS_METRICS_NAMESPACE."""


_MAX_VALUES: Final = 100
"""Values of a metric in a document, by the format's specification."""


class Unit(StrEnum):
    """The CloudWatch units in use."""

    COUNT = "Count"
    SECONDS = "Seconds"


class Metrics:
    """The metrics of a batch or a run.

    Labels become dimensions, so their values must be few: no ids. The local `/metrics` knows which
    metrics are `set`; a test compares them with the code.
    """

    def __init__(self) -> None:
        self._values: dict[tuple[str, tuple[tuple[str, str], ...]], float | list[float]] = {}
        self._units: dict[str, Unit] = {}

    def add(self, name: str, value: float, **labels: str) -> None:
        """Add to a counter, whose name ends in ``_total``."""
        key = (name, tuple(sorted(labels.items())))
        before = self._values.get(key, 0)
        if isinstance(before, list):
            raise TypeError(f"{name} has single values, to which nothing can be added")
        self._values[key] = before + value
        self._units[name] = Unit.COUNT

    def set(self, name: str, value: float, unit: Unit = Unit.COUNT, **labels: str) -> None:
        """Set a state, such as the length of a queue; only the last value counts."""
        self._values[name, tuple(sorted(labels.items()))] = value
        self._units[name] = unit

    def observe(
        self, name: str, values: Iterable[float], unit: Unit = Unit.COUNT, **labels: str
    ) -> None:
        """Set a metric to single values, from which CloudWatch computes minimum and percentiles.

        A document may hold 100 values; of more, 100 are kept, evenly spaced between the extremes.
        """
        listed = sorted(values)
        if len(listed) > _MAX_VALUES:
            step = (len(listed) - 1) / (_MAX_VALUES - 1)
            listed = [listed[round(position * step)] for position in range(_MAX_VALUES)]
        if listed:
            self._values[name, tuple(sorted(labels.items()))] = listed
            self._units[name] = unit

    def flush(self, now: datetime) -> None:
        """Write the documents to stdout, from which CloudWatch Logs reads them."""
        for document in self.documents(now):
            sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()

    def documents(self, now: datetime) -> Iterator[dict[str, Any]]:
        """Yield the EMF documents."""
        roots: list[dict[str, Any]] = []
        for (name, labels), value in self._values.items():
            shown = value[0] if isinstance(value, list) and len(value) == 1 else value
            fields = {**dict(labels), name: shown}
            root = next((r for r in roots if _agrees(r, fields, name)), None)
            if root is None:
                roots.append(root := _empty(now))
            root.update(fields)
            root["_aws"]["CloudWatchMetrics"].append(self._directive(name, labels))
        yield from roots

    def _directive(self, name: str, labels: tuple[tuple[str, str], ...]) -> dict[str, Any]:
        return {
            "Namespace": os.environ.get("POWERTOOLS_METRICS_NAMESPACE") or NAMESPACE,
            "Dimensions": [[label for label, _ in labels]],
            "Metrics": [{"Name": name, "Unit": self._units[name]}],
        }


def _agrees(root: dict[str, Any], fields: dict[str, Any], name: str) -> bool:
    return name not in root and all(root.get(key, value) == value for key, value in fields.items())


def _empty(now: datetime) -> dict[str, Any]:
    return {"_aws": {"Timestamp": int(now.timestamp() * 1000), "CloudWatchMetrics": []}}
