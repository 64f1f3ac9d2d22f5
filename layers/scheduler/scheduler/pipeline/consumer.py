"""Processes an Amazon MQ event, queue by queue: decode, sort, validate, apply, settle, report."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.database.connection import Database
from scheduler.deadline import Deadline
from scheduler.domain.model import Quota
from scheduler.ids import NewId, uuid7
from scheduler.messaging.body import InvalidBodyError
from scheduler.messaging.nudge import Nudge
from scheduler.messaging.outbound import BrokerUnavailableError, MessageRefusedError
from scheduler.messaging.publisher import Publisher
from scheduler.messaging.record import Undecodable, decode
from scheduler.messaging.validate import Parsed, parse
from scheduler.pipeline.envelope import outbound_message
from scheduler.pipeline.isolation import Isolation, PartSize
from scheduler.pipeline.outcome import Outcome, Verdict
from scheduler.pipeline.redelivery import (
    KILLED,
    NOT_REDELIVERED,
    Redeliveries,
    fail_once,
    is_unproven,
    redelivered,
)
from scheduler.pipeline.report import Reporter
from scheduler.pipeline.settle import Settled, Settlement, settle
from scheduler.pipeline.transaction import BatchTransaction
from scheduler.pipeline.unidentified import UnidentifiedMessages
from scheduler.unit_of_work import UnitsOfWork

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from scheduler.domain.brake import BrakeLimits
    from scheduler.messaging.message import Message
    from scheduler.messaging.outbound import OutboundMessage
    from scheduler.payments.ledger import PaymentLedger
    from scheduler.pipeline.event_rules import EventRules, Handling
    from scheduler.settings import ConsumerSettings


class Consumer:
    """The handler of an execution environment, with its connections to database and broker."""

    def __init__(  # noqa: PLR0913 - tests replace each of them
        self,
        rules: EventRules,
        settings: ConsumerSettings,
        *,
        ledger: PaymentLedger | None = None,
        brake: BrakeLimits | None = None,
        database: Database | None = None,
        publisher: Publisher | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: NewId = uuid7,
    ) -> None:
        self._rules = rules
        self._max_retries = settings.max_retries
        self._clock = clock
        self._publisher = publisher or Publisher(settings)
        self._nudge = Nudge(self._publisher)
        self._database = database = database or Database(settings)
        quota = Quota(settings.default_max_devices)
        units = UnitsOfWork(database, quota, self._need_nudge, clock, new_id)
        self._redeliveries = Redeliveries(database, clock)
        self._reporter = Reporter(settings.max_retries)
        self._transaction = BatchTransaction(
            units, self._redeliveries, self._reporter, ledger, brake
        )
        self._part_size = PartSize()
        self._nudge_needed = False
        self._unidentified = UnidentifiedMessages(database, clock, new_id)

    def handle(self, event: object, context: object = None) -> dict[str, int]:
        """Consume an aws:rmq event; return the number of messages per settlement.

        Raises:
            BrokerUnavailableError: a message could not be published to its retry queue or the dead
                letters. The mapping redelivers the batch, in which committed messages are then
                duplicates.
            DatabaseUnavailableError, pymysql.MySQLError: the end of the run could not be noted for
                its messages without an id. Likewise.
            CanaryFailureError: a canary asks for it, once.
        """
        self._database.deadline = deadline = Deadline.of(context)
        invocation = _Invocation(Isolation(self._transaction, deadline, self._part_size), Counter())
        self._nudge_needed = False
        self._unidentified.start()
        self._reporter.start()
        for queue, records in decode(event):
            self._consume_queue(queue, records, invocation)
        if self._nudge_needed:
            self._nudge.send()
        self._database.deadline = Deadline.to_finish(context)
        self._unidentified.end()
        return dict(invocation.totals)

    def _need_nudge(self) -> None:
        """Have the dispatcher nudged once, at the end of the invocation."""
        self._nudge_needed = True

    def _consume_queue(
        self, queue: str, records: Sequence[Message | Undecodable], invocation: _Invocation
    ) -> None:
        """Process a batch, then each message suspected of killing its consumer, alone.

        Killers are settled last. Settling drops their notes, and if a suspect killed
        the consumer after that, two killers in a batch would take turns indefinitely.
        """
        records = fail_once(records, self._clock())
        self._unidentified.begin(queue, records)
        batch = self._redeliveries.split(queue, records)
        if batch.ordinary:
            self._process(queue, batch.ordinary, invocation)
        for suspect in batch.suspects:
            self._redeliveries.note(queue, {suspect.delivery_key})
            self._process(queue, [suspect], invocation)
        if batch.killers:
            unclaimed = map(self._unidentified.unclaimed, batch.killers)
            killers = [Outcome(m, Verdict.KILLER, error=KILLED) for m in unclaimed]
            self._settle(queue, killers, time.perf_counter(), invocation)

    def _process(
        self, queue: str, records: Sequence[Message | Undecodable], invocation: _Invocation
    ) -> None:
        started = time.perf_counter()
        outcomes = self._outcomes(queue, records, invocation.isolation)
        self._settle(queue, outcomes, started, invocation)

    def _settle(
        self, queue: str, outcomes: Sequence[Outcome], started: float, invocation: _Invocation
    ) -> None:
        batch = [settle(outcome, self._max_retries) for outcome in outcomes]
        now = self._clock()
        try:
            batch = self._publish(batch, now)
        except BrokerUnavailableError:
            # These messages are redelivered because of the broker and must not become suspects.
            self._redeliveries.forget(queue, _noted(outcomes, _UNCOMMITTED))
            raise
        self._redeliveries.forget(queue, _noted(outcomes, _UNCOMMITTED | {Verdict.KILLER}))
        self._note_unapplied(batch, now)
        self._reporter.report(batch, time.perf_counter() - started, now)
        invocation.totals.update(settled.settlement.value for settled in batch)

    def _publish(self, batch: list[Settled], now: datetime) -> list[Settled]:
        """Publish retries and dead letters; return how the messages are settled.

        If the broker refuses dead letters, because their queue is full or was deleted, the messages
        wait in the retry queue. Otherwise one of them would stop its event for everybody.
        """
        letters = [one for one in batch if one.is_dead_letter]
        try:
            self._publisher.publish(_outbound(letters, now))
        except MessageRefusedError as error:
            if not all(one.can_be_parked for one in letters):
                raise
            batch = [one.parked(str(error)) if one.is_dead_letter else one for one in batch]
        others = [one for one in batch if not one.is_dead_letter]
        self._publisher.publish(_outbound(others, now))
        return batch

    def _note_unapplied(self, batch: Sequence[Settled], now: datetime) -> None:
        if all(settled.settlement in _APPLIED for settled in batch):
            return
        from scheduler.pipeline.unapplied import (  # noqa: PLC0415 - a cold start need not have it
            note_unapplied,
        )

        note_unapplied(self._database, batch, now)

    def _outcomes(
        self, queue: str, records: Sequence[Message | Undecodable], isolation: Isolation
    ) -> list[Outcome]:
        handling, now = self._rules.of_queue(queue), self._clock()
        parsed: list[Parsed] = []
        invalid: list[Outcome] = []
        for record in records:
            match _validate(record, handling, now):
                case Parsed() as event:
                    parsed.append(event)
                case outcome:
                    invalid.append(outcome)
        if not parsed or handling is None:
            return invalid
        identified, parked = self._unidentified.identify(queue, parsed, isolation)
        applied = isolation.apply(identified, handling) if identified else []
        return [*applied, *parked, *invalid]


class _Invocation(NamedTuple):
    """The state of one call of the handler."""

    isolation: Isolation
    totals: Counter[str]


_APPLIED: Final = {Settlement.SUCCESS, Settlement.OUTDATED}
_UNCOMMITTED: Final = {Verdict.INVALID, Verdict.FAILED, Verdict.PARKED}
"""Verdicts after which no commit has dropped the note of a redelivered message."""


def _outbound(batch: Iterable[Settled], now: datetime) -> Iterator[OutboundMessage]:
    return filter(None, (outbound_message(settled, now) for settled in batch))


def _noted(outcomes: Iterable[Outcome], verdicts: Collection[Verdict]) -> set[str]:
    return redelivered([outcome.message for outcome in outcomes if outcome.verdict in verdicts])


def _validate(
    record: Message | Undecodable, handling: Handling | None, now: datetime
) -> Parsed | Outcome:
    if isinstance(record, Undecodable):
        return Outcome(record.message, Verdict.INVALID, error=record.reason)
    if handling is None:
        error = f"no rule for queue {record.queue}: unknown event"
        return Outcome(record, Verdict.INVALID, error=error)
    if is_unproven(record):
        return Outcome(record, Verdict.INVALID, error=NOT_REDELIVERED)
    try:
        return parse(record, handling.contract, now)
    except InvalidBodyError as error:
        return Outcome(record, Verdict.INVALID, error=str(error))
