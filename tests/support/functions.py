"""The three event functions on a real database, with a clock and a payment counter of the test."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Self

from scheduler.database.connection import Database
from scheduler.messaging.publisher import Publisher
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME
from scheduler.payments.ledger import PaymentLedger
from scheduler.pipeline.consumer import Consumer
from scheduler.settings import ConsumerSettings
from tests.support.counter import FakeCounter
from tests.support.deciding import FAMILIES
from tests.support.events import mq_event
from tests.support.world import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from scheduler.domain.brake import BrakeLimits
    from scheduler.messaging.message import Message
    from scheduler.payments.ledger import PaymentCounter
    from scheduler.pipeline.event_rules import EventRules

NOWHERE: Final = "amqp://127.0.0.1:1/nowhere"
"""A broker for tests in which nothing must be published."""
OUTSIDE: Final = {
    "PAYMENT_FAILURES_TABLE": "payment-failures",
    "REALTIME_CONNECTIONS_TABLE": "realtime-connections",
    "REALTIME_TICKETS_TABLE": "realtime-tickets",
    "WEBSOCKET_ENDPOINT": "http://127.0.0.1:1",
}
"""Where housekeeping erases data of deleted users outside the database."""


class Functions:
    """One execution environment of each family.

    Args:
        database_url: a migrated database.
        broker_url: a vhost with the topology; by default a broker that is not there.
        counter: counts failed payments; by default in memory.
        clock: what the functions take for the present.
        rules: other rules than the product's, by family.
        database: an open connection to use (and leave open) instead of a new one.
        brake: when too many failing devices are not believed; by default they are.
    """

    def __init__(
        self,
        database_url: str,
        broker_url: str = NOWHERE,
        *,
        counter: PaymentCounter | None = None,
        clock: Callable[[], datetime] = lambda: NOW,
        rules: Mapping[str, EventRules] = FAMILIES,
        database: Database | None = None,
        brake: BrakeLimits | None = None,
    ) -> None:
        settings = ConsumerSettings.model_validate(
            {"DATABASE_URL": database_url, "BROKER_URL": broker_url}
        )
        self.counter = counter or FakeCounter()
        self.database = database or Database(settings)
        self._shares_database = database is not None
        self.publisher = Publisher(settings)
        ledger = PaymentLedger(self.counter)
        self._consumers = {
            family: Consumer(
                rules[family],
                settings,
                ledger=ledger if family == "billing" else None,
                brake=brake if family == "device" else None,
                database=self.database,
                publisher=self.publisher,
                clock=clock,
            )
            for family in rules
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        if not self._shares_database:
            self.database.close()
        self.publisher.close()

    def handle(self, *messages: Message) -> Counter[str]:
        """Invoke a function for each run of messages of one queue; return how they were settled."""
        totals: Counter[str] = Counter()
        for queue, batch in groupby(messages, key=lambda message: message.queue):
            family = WORK_QUEUE_BY_NAME[queue].family
            totals.update(self.invoke(family, mq_event(*batch)))
        return totals

    def consumer(self, family: str) -> Consumer:
        """Return the function of a family, for tests that deliver to it from a broker."""
        return self._consumers[family]

    def invoke(
        self,
        family: str,
        event: Any,  # noqa: ANN401 - anything at all
        context: object = None,
    ) -> dict[str, int]:
        """Invoke the function of a family with a whole event."""
        return self._consumers[family].handle(event, context)
