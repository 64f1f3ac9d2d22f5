"""A function's handler: takes an Amazon MQ event through all stages, queue by queue."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from scheduler.database.connection import Database
from scheduler.domain.model import Quota
from scheduler.ids import NewId, uuid7
from scheduler.messaging.publisher import Publisher
from scheduler.messaging.record import Undecodable, decode
from scheduler.messaging.validate import InvalidBodyError, Parsed, parse
from scheduler.observability.report import report
from scheduler.pipeline.outcome import Outcome, Verdict
from scheduler.pipeline.settle import Settled, outbound, settle
from scheduler.pipeline.transaction import BatchTransaction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scheduler.messaging.message import Message
    from scheduler.payments.ledger import PaymentLedger
    from scheduler.pipeline.rules import EventRules, Handling
    from scheduler.settings import ConsumerSettings

_TRANSACTION_TRIES: Final = 3


class Consumer:
    """Everything one execution environment holds: settings, one connection each, the rules."""

    def __init__(
        self,
        rules: EventRules,
        settings: ConsumerSettings,
        *,
        ledger: PaymentLedger | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: NewId = uuid7,
    ) -> None:
        self._rules = rules
        self._settings = settings
        self._clock = clock
        self._publisher = Publisher(settings)
        quota = Quota(settings.default_max_devices)
        self._transaction = BatchTransaction(Database(settings), ledger, quota, clock, new_id)

    def handle(self, event: object) -> dict[str, int]:
        """Consume an aws:rmq event and return how many messages were settled in which way.

        Raises:
            DatabaseUnavailableError, BrokerUnavailableError: nothing durable could be done; the
                mapping redelivers the batch, and what was committed is recognised as done.
        """
        totals: Counter[str] = Counter()
        for queue, records in decode(event):
            totals.update(settled.settlement.value for settled in self._consume(queue, records))
        return dict(totals)

    def _consume(self, queue: str, records: Sequence[Message | Undecodable]) -> list[Settled]:
        started = time.perf_counter()
        outcomes = self._outcomes(queue, records)
        batch = [settle(outcome, self._settings.max_retries) for outcome in outcomes]
        now = self._clock()
        self._publisher.publish(filter(None, (outbound(settled, now) for settled in batch)))
        report(batch, time.perf_counter() - started, now)
        return batch

    def _outcomes(self, queue: str, records: Sequence[Message | Undecodable]) -> list[Outcome]:
        handling = self._rules.of_queue(queue)
        parsed: list[Parsed] = []
        invalid: list[Outcome] = []
        for record in records:
            result = _validate(record, handling, self._clock())
            (parsed if isinstance(result, Parsed) else invalid).append(result)  # type: ignore[arg-type]
        applied = self._transaction.apply(parsed, handling) if parsed and handling else []
        return [*applied, *invalid]


def _validate(
    record: Message | Undecodable, handling: Handling | None, now: datetime
) -> Parsed | Outcome:
    if isinstance(record, Undecodable):
        return Outcome(record.message, Verdict.INVALID, error=record.reason)
    if handling is None:
        error = f"no rule for queue {record.queue}: unknown event"
        return Outcome(record, Verdict.INVALID, error=error)
    try:
        return parse(record, handling.contract, now)
    except InvalidBodyError as error:
        return Outcome(record, Verdict.INVALID, error=str(error))
