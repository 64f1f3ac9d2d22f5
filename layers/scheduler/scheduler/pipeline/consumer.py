"""A function's handler: takes an Amazon MQ event through all stages, queue by queue."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pymysql

from scheduler.database import load
from scheduler.database.commit import commit
from scheduler.database.connection import RETRYABLE, Database
from scheduler.domain.guard import Aggregate
from scheduler.domain.model import Quota
from scheduler.domain.work import Work
from scheduler.ids import NewId, uuid7
from scheduler.messaging.publisher import Publisher
from scheduler.messaging.record import Undecodable, decode
from scheduler.messaging.validate import InvalidBodyError, Parsed, parse
from scheduler.observability.report import report
from scheduler.payments.ledger import Counted, PaymentLedger
from scheduler.pipeline.decide import decide, is_outdated
from scheduler.pipeline.outcome import EFFECTIVE, Outcome, Verdict
from scheduler.pipeline.settle import Settled, outbound, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pymysql.cursors import Cursor

    from scheduler.messaging.message import Message
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
        self._ledger = ledger
        self._clock = clock
        self._new_id = new_id
        self._database = Database(settings)
        self._publisher = Publisher(settings)

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
        applied = self._apply(parsed, handling) if parsed and handling else []
        return [*applied, *invalid]

    def _apply(self, batch: Sequence[Parsed], handling: Handling) -> list[Outcome]:
        """Run the transaction of a batch, again when somebody else was faster."""
        for _ in range(_TRANSACTION_TRIES - 1):
            try:
                return self._transaction(batch, handling)
            except load.SnapshotMovedError:
                continue
            except pymysql.MySQLError as error:
                if error.args[0] not in RETRYABLE:
                    raise
        return self._transaction(batch, handling)

    def _transaction(self, batch: Sequence[Parsed], handling: Handling) -> list[Outcome]:
        now = self._clock()
        with self._database.transaction() as cursor:
            queue = batch[0].message.queue
            processed = load.processed(cursor, queue, {parsed.identity.id for parsed in batch})
            counted = self._count_payments(cursor, batch, processed, now)
            subjects = {parsed.event.subject_id for parsed in batch}
            by_user = handling.contract.aggregate is Aggregate.USER
            snapshot = load.snapshot(
                cursor, users=subjects if by_user else (), devices=() if by_user else subjects
            )
            work = Work(snapshot, now, self._default_quota, counted.counts)
            outcomes = decide(batch, work, handling, processed, counted)
            effective = [o.parsed for o in outcomes if o.verdict in EFFECTIVE and o.parsed]
            commit(cursor, work, effective, self._new_id)
        return outcomes

    def _count_payments(
        self, cursor: Cursor, batch: Sequence[Parsed], processed: dict[str, bytes], now: datetime
    ) -> Counted:
        """Count what is neither processed nor outdated, before any row is locked."""
        paying = [
            parsed
            for parsed in batch
            if parsed.event.payment and parsed.identity.id not in processed
        ]
        if not paying or self._ledger is None:
            return Counted()
        users = {parsed.event.subject_id for parsed in paying}
        before = Work(load.outline(cursor, users), now, self._default_quota)
        fresh = [parsed for parsed in paying if not is_outdated(parsed.event, before)]
        return self._ledger.apply(fresh, now)

    @property
    def _default_quota(self) -> Quota:
        return Quota(self._settings.default_max_devices)


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
