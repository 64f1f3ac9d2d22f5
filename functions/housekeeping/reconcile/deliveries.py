"""A delivery that is due is sent within ten minutes, even if the first dispatcher died."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from housekeeping.reconcile.findings import Finding, report
from scheduler.domain.notices import Channel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from housekeeping.tools import Tools
    from scheduler.observability.emf import Metrics

_PATIENCE: Final = timedelta(minutes=10)
_LIMIT: Final = 1000
"""More need not be counted to know that nothing is being sent."""

# What waits for its next attempt or for the end of quiet hours is not due.
_OVERDUE: Final = """
    SELECT id FROM notification_deliveries FORCE INDEX (due)
    WHERE status = 'pending' AND channel IN %s AND next_attempt_at <= %s
    LIMIT %s
"""


def reconcile_deliveries(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Report deliveries that have been due for ten minutes, and nudge the dispatcher."""
    before = tools.clock() - _PATIENCE
    with tools.database.transaction() as cursor:
        cursor.execute(_OVERDUE, (tuple(Channel), before, _LIMIT))
        overdue = [id_ for (id_,) in cursor.fetchall()]
    report(Finding.DELIVERY_OVERDUE, overdue, "nudged the dispatcher; is it failing?", metrics)
    if overdue:
        tools.nudge()
    yield len(overdue)
