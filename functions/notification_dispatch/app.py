"""Lambda handler of the notification dispatcher.

It is invoked by nudges (Amazon MQ) and every minute by a schedule (EventBridge). Both events mean
only that deliveries or outgoing events may be due.
"""

from __future__ import annotations

from datetime import UTC, datetime

from notification_dispatch.channel_worker import ChannelWorker
from notification_dispatch.channels import aws_client
from notification_dispatch.channels.email import EmailSender
from notification_dispatch.channels.sms import SmsSender
from notification_dispatch.channels.websocket import WebSocketSender
from notification_dispatch.dispatcher import Dispatcher
from notification_dispatch.invocation import MAX_SEND_SECONDS
from scheduler.database.connection import Database
from scheduler.deadline import Deadline
from scheduler.domain.notices import Channel
from scheduler.messaging.publisher import Publisher
from scheduler.observability.logger import begin_invocation
from scheduler.outbox.claims import Claims
from scheduler.outbox.outgoing_events import OutgoingEvents
from scheduler.realtime.connections import Connections
from scheduler.settings import DispatchSettings


def make_dispatcher(
    settings: DispatchSettings, max_send_seconds: float = MAX_SEND_SECONDS
) -> Dispatcher:
    """Return the dispatcher; each worker has its own database connection.

    Args:
        settings: addresses, tables, number of threads.
        max_send_seconds: how long sending one delivery may take; claims last longer.
    """
    threads = settings.dispatch_threads
    dynamodb = aws_client.make_client("dynamodb", threads)
    connections = Connections(dynamodb, settings.realtime_connections_table)
    senders = (
        WebSocketSender(connections, settings.websocket_endpoint, threads, _now),
        EmailSender(settings.email_from, threads),
        SmsSender(settings.sms_sender_id, threads),
    )
    hourly_limits = {
        Channel.EMAIL: settings.max_emails_per_hour,
        Channel.SMS: settings.max_sms_per_hour,
    }
    workers = [
        ChannelWorker(
            Claims(Database(settings), sender.channel, _now),
            sender,
            threads=threads,
            clock=_now,
            hourly_limit=hourly_limits.get(sender.channel),
        )
        for sender in senders
    ]
    events = OutgoingEvents(Database(settings), Publisher(settings, mandatory=False), _now)
    return Dispatcher(workers, events, _now, max_send_seconds)


def _now() -> datetime:
    return datetime.now(UTC)


_dispatcher = make_dispatcher(DispatchSettings.from_environment())


def handler(_event: object, context: object) -> dict[str, int]:
    """Send the due notifications and publish the outgoing events."""
    begin_invocation(context)
    return _dispatcher.run(Deadline.of(context))
