"""The prices with which `scheduler-ops cost` calculates: the only place that has any.

US dollars, us-east-1, without free tiers, taxes and support. They are from the pages named below as
of early 2025, written down from memory on 2026-11-27 and **not verified** since; the one marked
with "estimate" was not found. Those of the broker are of 2026, from copies of its pages that were
read on 2026-11-27. Check all in the AWS calculator (https://calculator.aws) before you decide by
them. For another region, add its prices to `PRICES`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

AS_OF: Final = "early 2025, not verified"


class Prices(NamedTuple):
    """Prices of a region; an hour is one of use, a month of 730."""

    # https://aws.amazon.com/lambda/pricing/
    lambda_million_requests: float = 0.20
    lambda_gb_second_arm: float = 0.0000133334
    lambda_gb_second_x86: float = 0.0000166667
    # https://aws.amazon.com/api-gateway/pricing/: the first 300 million, 1 billion
    http_million_requests: float = 1.00
    websocket_million_messages: float = 1.00
    websocket_million_minutes: float = 0.25
    # https://aws.amazon.com/vpc/pricing/
    nat_hour: float = 0.045
    nat_gb: float = 0.045
    public_ipv4_hour: float = 0.005
    zone_gb: float = 0.01
    """Traffic between availability zones, for each direction."""
    # https://aws.amazon.com/dynamodb/pricing/on-demand/
    dynamodb_million_reads: float = 0.125
    dynamodb_million_writes: float = 0.625
    # https://aws.amazon.com/rds/mariadb/pricing/; a second zone doubles both
    database_hour_dev: float = 0.065
    """db.t4g.medium."""
    database_hour_prod: float = 0.168
    """db.m7g.large."""
    database_gb: float = 0.115
    # https://aws.amazon.com/amazon-mq/pricing/, as cited by cost models of 2026-09
    broker_hour_dev: float = 0.1367
    """mq.m7g.medium."""
    broker_hour_prod: float = 0.2734
    """mq.m7g.large, each of three nodes."""
    broker_gb: float = 0.10
    # https://docs.aws.amazon.com/amazon-mq/latest/developer-guide/rmq-broker-instance-types.html
    broker_disk_dev: int = 200
    """GB that a single node has, whatever its instance type; all of it counts as used."""
    broker_disk_prod: int = 15
    """GB that each node of a cluster of mq.m7g.large has, unless more are configured."""
    # https://aws.amazon.com/cloudwatch/pricing/
    log_gb: float = 0.50
    metric: float = 0.30
    alarm_metric: float = 0.10
    composite_alarm: float = 0.50
    dashboard: float = 3.00
    # https://aws.amazon.com/secrets-manager/pricing/
    secret: float = 0.40
    # https://aws.amazon.com/ses/pricing/
    thousand_emails: float = 0.10
    # https://aws.amazon.com/sns/sms-pricing/: United States, with carrier fees; estimate
    text_message: float = 0.01


PRICES: Final = {"us-east-1": Prices()}
"""By region."""
