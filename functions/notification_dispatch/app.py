"""Lambda handler of the notification dispatcher.

It is started by nudges (Amazon MQ) and once a minute (EventBridge). Both say the same: there may be
something to do.
"""

from __future__ import annotations

from datetime import UTC, datetime

from notification_dispatch.announcer import Announcer
from notification_dispatch.channels import provider
from notification_dispatch.channels.email import EmailSender
from notification_dispatch.channels.sms import SmsSender
from notification_dispatch.channels.websocket import WebSocketSender
from notification_dispatch.dispatcher import Dispatcher
from notification_dispatch.lane import Lane
from notification_dispatch.shift import LONGEST_SEND
from scheduler.database.connection import Database
from scheduler.messaging.publisher import Publisher
from scheduler.outbox.claims import Claims
from scheduler.outbox.outgoing_events import OutgoingEvents
from scheduler.pipeline.deadline import Deadline
from scheduler.realtime.connections import Connections
from scheduler.settings import DispatchSettings


def dispatcher(settings: DispatchSettings, longest_send: float = LONGEST_SEND) -> Dispatcher:
    """Return the dispatcher; each worker has a database connection of its own.

    Args:
        settings: where everything is.
        longest_send: seconds that sending one delivery may take, which claims outlive.
    """
    threads = settings.dispatch_threads
    dynamodb = provider.client("dynamodb", threads)
    connections = Connections(dynamodb, settings.realtime_connections_table)
    senders = (
        WebSocketSender(connections, settings.websocket_endpoint, threads, _now),
        EmailSender(settings.email_from, threads),
        SmsSender(settings.sms_sender_id, threads),
    )
    lanes = [
        Lane(Claims(Database(settings), sender.channel, _now), sender, threads=threads, clock=_now)
        for sender in senders
    ]
    events = OutgoingEvents(Database(settings), Publisher(settings, mandatory=False), _now)
    return Dispatcher(lanes, Announcer(events), _now, longest_send)


def _now() -> datetime:
    return datetime.now(UTC)


_dispatcher = dispatcher(DispatchSettings.from_environment())


def handler(_event: object, context: object) -> dict[str, int]:
    """Tell users and other services what is due."""
    return _dispatcher.run(Deadline.of(context))
