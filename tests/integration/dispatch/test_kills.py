"""A dispatcher that is killed again and again loses no delivery."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.integration.dispatch.kills.drill import Plan, run
from tests.integration.dispatch.kills.report import KillReport
from tests.integration.dispatch.outbox import StoredDelivery
from tests.support.world import NOW

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


def row(number: int, status: str = "sent", attempts: int = 1) -> StoredDelivery:
    return StoredDelivery(
        number, f"n{number}", "email", status, attempts, NOW, None, None, None, None
    )


def test_report_counts_lost_doubled_and_unfinished_deliveries() -> None:
    rows = [row(1), row(2), row(3), row(4, "pending", 0), row(5, "failed"), row(6, attempts=2)]
    accepted = {("email", "n1"): 1, ("email", "n3"): 3, ("email", "n6"): 2, ("sms", "n2"): 1}

    report = KillReport.of(7, rows, accepted)

    assert report == KillReport(
        kills=7,
        deliveries=6,
        statuses={"sent": 4, "pending": 1, "failed": 1},
        accepted=6,
        lost=1,
        unfinished=1,
        doubled=Counter(email=3),
        unexplained=1,
    )


def test_ten_kills_lose_no_delivery_and_double_only_unrecorded_ones(
    database_url: str, aws_url: str, dynamodb: DynamoDBClient
) -> None:
    assert dynamodb

    report = run(Plan(kills=10, rate=8), database_url, aws_url)

    assert report.deliveries > 0
    assert report.statuses == {"sent": report.deliveries}
    assert (report.lost, report.unfinished, report.unexplained) == (0, 0, 0)
    assert report.accepted == report.deliveries + report.doubled.total()
