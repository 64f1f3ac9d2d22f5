"""Tickets on the wire."""

from __future__ import annotations

from allocation_api.wire import Answer, Moment


class Ticket(Answer):
    """What opens the WebSocket once, until it expires: ``wss://…/?ticket=<ticket>``."""

    ticket: str
    expires_at: Moment
