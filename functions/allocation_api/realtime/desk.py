"""Issues tickets, in a time that a person waits for a page."""

from __future__ import annotations

from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING

from allocation_api.aws import PATIENCE
from allocation_api.errors import ApiError

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.realtime.tickets import Ticket, Tickets
    from scheduler.settings import TicketSettings


class TicketDesk:
    """The table of tickets, connected on first use: most requests never need it."""

    def __init__(self, settings: TicketSettings) -> None:
        self._settings = settings

    def issue(self, user_id: str, now: datetime) -> Ticket:
        """Return a new ticket for a user.

        Raises:
            ApiError: 503, DynamoDB is away.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see below

        try:
            return self._tickets.issue(user_id, now)
        except (BotoCoreError, ClientError) as error:
            message = "tickets cannot be issued now; try again later"
            raise ApiError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "tickets_unavailable",
                message,
                headers={"Retry-After": "1"},
            ) from error

    @cached_property
    def _tickets(self) -> Tickets:
        import boto3  # noqa: PLC0415 - 300 ms of cold start that other routes need not spend
        from botocore.config import Config  # noqa: PLC0415 - likewise

        from scheduler.realtime.tickets import Tickets  # noqa: PLC0415 - likewise

        dynamodb = boto3.client("dynamodb", config=Config(**PATIENCE))
        return Tickets(dynamodb, self._settings.realtime_tickets_table)
