"""CloudWatch metrics of the functions for Prometheus, read from EMF lines in their logs.

EMF: docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/
CloudWatch_Embedded_Metric_Format_Specification.html.
"""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

GAUGES: Final = frozenset(
    (
        "scheduler_queue_depth",
        "scheduler_dead_letters",
        "scheduler_oldest_pending_notification_seconds",
        "scheduler_oldest_unpublished_event_seconds",
        "scheduler_waiting",
        "scheduler_stranded_messages",
        "scheduler_canary_passed",
        "scheduler_mass_failure_brake",
    )
)
"""Metrics that the functions `set`: they report their last value; the others are summed."""
_MARK: Final = b'"_aws"'
# Powertools adds the dimension `service`; our metrics are documented without it.
_HIDDEN_DIMENSIONS: Final = frozenset(("service",))

_Labels = tuple[tuple[str, str], ...]
_Value = tuple[str, _Labels, float]


class EmfCollector(Collector):
    """Totals over all logs of a folder; each call reads only the lines added since the last."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._lock = threading.Lock()
        self._offsets: dict[Path, int] = {}
        self._sums: defaultdict[tuple[str, _Labels], float] = defaultdict(float)
        self._counts: Counter[tuple[str, _Labels]] = Counter()

    def collect(self) -> Iterator[Metric]:
        """Yield the current metrics."""
        with self._lock:
            for line in self._new_lines():
                for name, labels, value in _values(line):
                    self._add(name, labels, value)
            yield from self._metrics()

    def text(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def _add(self, name: str, labels: _Labels, value: float) -> None:
        key = (name, labels)
        self._sums[key] = value if name in GAUGES else self._sums[key] + value
        self._counts[key] += 1

    def _metrics(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for (name, labels), total in sorted(self._sums.items()):
            family = families.setdefault(
                name, Metric(name.removesuffix("_total"), name, _kind(name))
            )
            if family.type == "summary":
                family.add_sample(f"{name}_count", dict(labels), self._counts[name, labels])
                family.add_sample(f"{name}_sum", dict(labels), total)
            else:
                family.add_sample(name, dict(labels), total)
        yield from families.values()

    def _new_lines(self) -> Iterator[bytes]:
        for path in sorted(self._log_dir.glob("*.log")):
            with path.open("rb") as log:
                log.seek(self._offsets.get(path, 0))
                for line in log:
                    if line.endswith(b"\n"):  # otherwise it is still being written
                        self._offsets[path] = self._offsets.get(path, 0) + len(line)
                        yield line


def _values(line: bytes) -> Iterable[_Value]:
    """Return the metric values in a log line; none if it is not an EMF document."""
    if _MARK not in line:
        return ()
    try:
        document = json.loads(line)
        return [
            value
            for directive in document["_aws"]["CloudWatchMetrics"]
            for value in _of_directive(document, directive)
        ]
    except (ValueError, KeyError, TypeError):
        return ()


def _of_directive(document: dict[str, Any], directive: dict[str, Any]) -> Iterator[_Value]:
    # Several dimension sets describe the same values; the most detailed one identifies them all.
    dimensions = max(directive.get("Dimensions") or [[]], key=len)
    labels = tuple(
        sorted((name, str(document[name])) for name in dimensions if name not in _HIDDEN_DIMENSIONS)
    )
    for metric in directive["Metrics"]:
        found = document[metric["Name"]]
        for value in found if isinstance(found, list) else [found]:
            yield metric["Name"], labels, float(value)


def _kind(name: str) -> str:
    if name in GAUGES:
        return "gauge"
    return "counter" if name.endswith("_total") else "summary"
