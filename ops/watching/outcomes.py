"""How many messages ended in which way, from the metrics of the local platform."""

from __future__ import annotations

from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families

Outcomes = dict[str, dict[str, int]]
"""Counts by event type and status."""

_CONSUMED: Final = "scheduler_event_consumed_total"
_TIMEOUT: Final = 2.0


def outcomes(api_url: str) -> Outcomes | None:
    """Return the counts since the platform's logs began; None while it does not answer."""
    try:
        text = httpx.get(f"{api_url}/metrics", timeout=_TIMEOUT).raise_for_status().text
    except httpx.HTTPError:
        return None
    return parse(text)


def parse(text: str) -> Outcomes:
    """Return the counts in a text of Prometheus' format."""
    counts: Outcomes = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == _CONSUMED:
                of_event = counts.setdefault(sample.labels["event_type"], {})
                of_event[sample.labels["status"]] = int(sample.value)
    return counts
