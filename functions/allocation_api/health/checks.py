"""One check for each thing the platform depends on.

Making a check imports what it needs; running it takes seconds at most and raises what is wrong.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from allocation_api.aws import PATIENCE
from scheduler.database.connection import connect
from scheduler.messaging.publisher import parameters

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.settings import BrokerSettings, DatabaseSettings, PaymentSettings

_BROKER_SECONDS: Final = 2


def database_check(settings: DatabaseSettings) -> Callable[[], None]:
    """Return a check that logs in to the database and asks it something."""

    def check() -> None:
        with closing(connect(settings)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    return check


def broker_check(settings: BrokerSettings) -> Callable[[], None]:
    """Return a check that logs in to the broker and opens the vhost."""
    from pika import BlockingConnection  # noqa: PLC0415 - 100 ms that only this route needs

    def check() -> None:
        BlockingConnection(parameters(settings, _BROKER_SECONDS)).close()

    return check


def dynamodb_check(settings: PaymentSettings) -> Callable[[], None]:
    """Return a check that reads from the table of payment failures, as the policy allows."""
    import boto3  # noqa: PLC0415 - 300 ms that only this route needs
    from botocore.config import Config  # noqa: PLC0415 - likewise

    client = boto3.client("dynamodb", config=Config(**PATIENCE))

    def check() -> None:
        key = {"user_id": {"S": "health check"}}
        client.get_item(TableName=settings.payment_failures_table, Key=key)

    return check
