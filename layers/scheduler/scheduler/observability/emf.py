"""CloudWatch metrics as EMF documents: few per batch, however many label sets there are.

Powertools writes one set of dimension values per document. A batch has counters of several label
sets, and a document may carry several directives with dimensions of their own, so those whose
labels agree share one. Format:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

NAMESPACE: Final = "CloudPhone/Scheduler"
"""Unless Powertools' own variable names another, by which stacks of one account stay apart."""


class Unit(StrEnum):
    """Units CloudWatch knows."""

    COUNT = "Count"
    SECONDS = "Seconds"


class Metrics:
    """Metrics of one batch: values of the same name and labels add up."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        self._units: dict[str, Unit] = {}

    def add(self, name: str, value: float, unit: Unit = Unit.COUNT, **labels: str) -> None:
        """Add to a metric; labels become dimensions, so never give one an id."""
        key = (name, tuple(sorted(labels.items())))
        self._values[key] = self._values.get(key, 0) + value
        self._units[name] = unit

    def flush(self, now: datetime) -> None:
        """Write the documents to stdout, where CloudWatch Logs finds them."""
        for document in self.documents(now):
            sys.stdout.write(json.dumps(document) + "\n")
        sys.stdout.flush()

    def documents(self, now: datetime) -> Iterator[dict[str, Any]]:
        """Yield the EMF documents."""
        roots: list[dict[str, Any]] = []
        for (name, labels), value in self._values.items():
            fields = {**dict(labels), name: value}
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
