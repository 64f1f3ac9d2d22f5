"""A function's handler: takes an Amazon MQ event through all stages, queue by queue."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from scheduler.database.connection import Database
from scheduler.deadline import Deadline
from scheduler.domain.model import Quota
from scheduler.ids import NewId, uuid7
from scheduler.messaging.nudge import Nudge
from scheduler.messaging.outbound import BrokerUnavailableError
from scheduler.messaging.publisher import Publisher
from scheduler.messaging.record import Undecodable, decode
from scheduler.messaging.validate import InvalidBodyError, Parsed, parse
from scheduler.pipeline.envelope import outbound_message
from scheduler.pipeline.isolation import Isolation
from scheduler.pipeline.outcome import Outcome, Verdict
from scheduler.pipeline.redelivery import KILLED, Redeliveries, redelivered
from scheduler.pipeline.report import report
from scheduler.pipeline.settle import settle
from scheduler.pipeline.transaction import BatchTransaction
from scheduler.unit_of_work import UnitsOfWork

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from scheduler.domain.brake import BrakeLimits
    from scheduler.messaging.message import Message
    from scheduler.payments.ledger import PaymentLedger
    from scheduler.pipeline.rules import EventRules, Handling
    from scheduler.settings import ConsumerSettings


class Consumer:
    """Everything one execution environment holds: settings, one connection each, the rules."""

    def __init__(  # noqa: PLR0913 - each may be replaced
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
        database = database or Database(settings)
        quota = Quota(settings.default_max_devices)
        units = UnitsOfWork(database, quota, self._note_news, clock, new_id)
        self._transaction = BatchTransaction(units, ledger, brake)
        self._left_news = False
        self._redeliveries = Redeliveries(database, clock)

    def handle(self, event: object, context: object = None) -> dict[str, int]:
        """Consume an aws:rmq event and return how many messages were settled in which way.

        Raises:
            BrokerUnavailableError: a message could not be made durable elsewhere; the mapping
                redelivers the batch, and what was committed is recognised as done.
        """
        invocation = _Invocation(Isolation(self._transaction, Deadline.of(context)), Counter())
        self._left_news = False
        for queue, records in decode(event):
            self._consume_queue(queue, records, invocation)
        if self._left_news:
            self._nudge.send()
        return dict(invocation.totals)

    def _note_news(self) -> None:
        """Nudge the dispatcher once, after the whole invocation, not after each commit."""
        self._left_news = True

    def _consume_queue(
        self, queue: str, records: Sequence[Message | Undecodable], invocation: _Invocation
    ) -> None:
        """Work on a batch, then on each message suspected of killing its consumer.

        The condemned come last: as long as a suspect may still kill this run, their notes must
        stay, or two killers in one batch would take turns for ever.
        """
        batch = self._redeliveries.sort(queue, records)
        if batch.ordinary:
            self._work(queue, batch.ordinary, invocation)
        for suspect in batch.suspects:
            self._redeliveries.note(queue, {suspect.delivery_key})
            self._work(queue, [suspect], invocation)
        if batch.condemned:
            killers = [Outcome(m, Verdict.KILLER, error=KILLED) for m in batch.condemned]
            self._settle(queue, killers, time.perf_counter(), invocation)

    def _work(
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
            messages = (outbound_message(settled, now) for settled in batch)
            self._publisher.publish(filter(None, messages))
        except BrokerUnavailableError:
            # They come again for want of a broker, which must not make them look like killers.
            self._redeliveries.forget(queue, _still_noted(outcomes, _SURVIVED))
            raise
        self._redeliveries.forget(queue, _still_noted(outcomes, _SURVIVED | {Verdict.KILLER}))
        report(batch, time.perf_counter() - started, now)
        invocation.totals.update(settled.settlement.value for settled in batch)

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
        applied = isolation.apply(parsed, handling) if parsed and handling else []
        return [*applied, *invalid]


class _Invocation:
    """What lives as long as one call of the handler."""

    def __init__(self, isolation: Isolation, totals: Counter[str]) -> None:
        self.isolation = isolation
        self.totals = totals


_SURVIVED: Final = {Verdict.INVALID, Verdict.FAILED, Verdict.PARKED, Verdict.HELD}
"""Verdicts on messages that were worked on to the end without a commit that drops their notes."""


def _still_noted(outcomes: Iterable[Outcome], verdicts: Collection[Verdict]) -> set[str]:
    return redelivered([outcome.message for outcome in outcomes if outcome.verdict in verdicts])


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
