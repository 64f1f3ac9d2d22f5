"""Publishes many messages for one round trip.

RabbitMQ answers the commit of an AMQP transaction when it has taken responsibility for every
message in it, as a confirm does for one (https://www.rabbitmq.com/docs/semantics). pika's blocking
connection awaits confirms one by one: 2 ms each where a transaction of a hundred takes 0.2 each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.messaging.publisher import Outbound, Publisher, send

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pika.adapters.blocking_connection import BlockingChannel


class BulkPublisher(Publisher):
    """Publishes events for whoever wants to know, which may be nobody.

    So what no queue is bound for is dropped, not returned: it is published without ``mandatory``.
    """

    def publish(self, messages: Iterable[Outbound]) -> None:
        """Publish messages in order and return when the broker has taken all.

        Raises:
            BrokerUnavailableError: no connection, or one was refused; some may be published.
        """
        listed = list(messages)

        def publish_all(channel: BlockingChannel) -> None:
            for message in listed:
                send(channel, message, mandatory=False)
            channel.tx_commit()

        self._reliably(publish_all, f"{len(listed)} events")

    def _prepare(self, channel: BlockingChannel) -> None:
        channel.tx_select()
