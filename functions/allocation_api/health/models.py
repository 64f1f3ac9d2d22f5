"""Health on the wire."""

from __future__ import annotations

from allocation_api.wire import Answer


class HealthReport(Answer):
    """Each dependency: ``ok``, or why not."""

    database: str
    broker: str
    dynamodb: str
