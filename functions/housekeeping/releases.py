"""Tells operators what a job took back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_lambda_powertools import Logger

if TYPE_CHECKING:
    from scheduler.domain.work import Work
    from scheduler.observability.emf import Metrics

_logger: Final = Logger()


def report_releases(verb: str, work: Work, metrics: Metrics) -> None:
    """Log and count the allocations that a transaction ended, if any."""
    for release in work.releases.values():
        metrics.add("scheduler_auto_release_total", 1, reason=release.reason.code)
    if ids := list(work.releases):
        _logger.info("%s %d allocations", verb, len(ids), extra={"allocation_ids": ids})
