"""The route of tickets for the WebSocket."""

from datetime import UTC, datetime
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from allocation_api.errors import CONTENT_TYPE
from allocation_api.realtime.desk import TicketDesk
from allocation_api.realtime.models import Ticket
from allocation_api.routing import Router
from allocation_api.settings import ApiSettings


def realtime_routes(settings: ApiSettings) -> Router:
    """Return the route, which gives the caller a ticket of his own."""
    router = Router()
    desk = TicketDesk(settings)

    @router.post("/api/realtime/ticket", status_code=HTTPStatus.CREATED)
    def issue() -> Response[Ticket]:
        ticket = desk.issue(router.caller.user_id, datetime.now(UTC))
        shown = Ticket(ticket=ticket.secret, expires_at=ticket.expires_at)
        return Response(HTTPStatus.CREATED, CONTENT_TYPE, shown)

    return router
