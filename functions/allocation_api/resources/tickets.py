"""Tickets for the WebSocket."""

from datetime import UTC, datetime
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from allocation_api.access import Access, Router
from allocation_api.errors import ApiError, unavailable
from allocation_api.fields import ResponseBody
from allocation_api.limits import RequestLimits
from allocation_api.openapi.responses import body_of, refusal
from allocation_api.settings import AWS_TIMEOUTS
from scheduler.settings import TicketSettings

if TYPE_CHECKING:
    from scheduler.realtime.tickets import Ticket, Tickets


class TicketResponse(ResponseBody):
    """A ticket that opens the WebSocket once: ``wss://…/?ticket=<ticket>``."""

    ticket: str
    expires_at: datetime


class TicketService:
    """Issues tickets; the client of DynamoDB is made on first use."""

    def __init__(self, settings: TicketSettings) -> None:
        self._settings = settings

    def issue(self, user_id: str, now: datetime) -> "Ticket":
        """Return a new ticket for a user.

        Raises:
            ApiError: 429, too many of the user's tickets are open; 503, DynamoDB is unavailable.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see below

        from scheduler.realtime.tickets import TICKET_LIFETIME, TooManyTicketsError  # noqa: PLC0415 - as above

        try:
            return self._tickets.issue(user_id, now)
        except TooManyTicketsError as error:
            raise ApiError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "too_many_tickets",
                "use the tickets that you have, or wait until they expire",
                headers={"Retry-After": str(TICKET_LIFETIME.seconds)},
            ) from error
        except (BotoCoreError, ClientError) as error:
            message = "tickets cannot be issued now; try again later"
            raise unavailable("tickets_unavailable", message) from error

    @cached_property
    def _tickets(self) -> "Tickets":
        import boto3  # noqa: PLC0415 - 300 ms of cold start that other routes need not spend
        from botocore.config import Config  # noqa: PLC0415 - as above

        from scheduler.realtime.tickets import Tickets  # noqa: PLC0415 - as above

        dynamodb = boto3.client("dynamodb", config=Config(**AWS_TIMEOUTS))
        return Tickets(dynamodb, self._settings.realtime_tickets_table)


_CALLS_PER_TICKET: Final = 5
"""DynamoDB calls that a refused ticket costs; each counts as one more request."""


def ticket_routes(settings: TicketSettings, limits: RequestLimits) -> Router:
    """Return the route that issues a ticket to the caller."""
    router = Router()
    service = TicketService(settings)

    @router.post(
        "/api/realtime/ticket",
        status_code=201,
        operation_id="issueTicket",
        summary="Issue a one-time ticket for the WebSocket",
        responses={
            201: body_of(TicketResponse),
            429: refusal("too_many_tickets"),
            503: refusal("tickets_unavailable"),
        },
    )
    @router.allow(Access.USER)
    def issue() -> TicketResponse:
        limits.add(router.caller, _CALLS_PER_TICKET)
        ticket = service.issue(router.caller.user_id, datetime.now(UTC))
        return TicketResponse(ticket=ticket.secret, expires_at=ticket.expires_at)

    return router
