"""One transaction of a batch: load, decide, commit – run again when somebody else was faster."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scheduler.allocation.waiting.hand_over import hand_over
from scheduler.database import brake as brakes
from scheduler.database import deliveries, load
from scheduler.database.commit import commit
from scheduler.database.retry import run_again_when_overtaken
from scheduler.domain.guard import Aggregate
from scheduler.domain.work import Work
from scheduler.payments.ledger import Counted
from scheduler.pipeline.decide import decide, is_outdated
from scheduler.pipeline.outcome import EFFECTIVE, Outcome
from scheduler.pipeline.redelivery import redelivered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.database.connection import Database
    from scheduler.domain.brake import Brake, BrakeLimits
    from scheduler.domain.model import Quota
    from scheduler.ids import NewId
    from scheduler.messaging.validate import Parsed
    from scheduler.payments.ledger import PaymentLedger
    from scheduler.pipeline.rules import Handling


class BatchTransaction:
    """Applies messages of one queue with a constant number of statements and one commit."""

    def __init__(
        self,
        database: Database,
        ledger: PaymentLedger | None,
        default_quota: Quota,
        clock: Callable[[], datetime],
        new_id: NewId,
        *,
        brake: BrakeLimits | None = None,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._default_quota = default_quota
        self._clock = clock
        self._new_id = new_id
        self._brake = brake

    def apply(self, batch: Sequence[Parsed], handling: Handling) -> list[Outcome]:
        """Return an outcome for every message; all effects are committed, or none.

        Raises:
            DatabaseUnavailableError: the database is away.
            pymysql.MySQLError: a statement was refused, or others were faster three times.
        """
        return run_again_when_overtaken(lambda: self._apply(batch, handling))

    def _apply(self, batch: Sequence[Parsed], handling: Handling) -> list[Outcome]:
        now = self._clock()
        with self._database.transaction() as cursor:
            ids = {parsed.identity.id for parsed in batch}
            processed = load.processed(cursor, batch[0].message.queue, ids)
            counted = self._count_payments(cursor, batch, processed, now)
            subjects = {parsed.event.subject_id for parsed in batch}
            by_user = handling.contract.aggregate is Aggregate.USER
            snapshot = load.snapshot(
                cursor, users=subjects if by_user else (), devices=() if by_user else subjects
            )
            # Read again: whatever we waited for was allocated before this moment.
            work = Work(snapshot, self._clock(), self._default_quota, counted.counts)
            brake = self._load_brake(cursor, handling, len(batch), now)
            outcomes = decide(batch, work, handling, processed, counted, brake)
            effective = [o.parsed for o in outcomes if o.verdict in EFFECTIVE and o.parsed]
            hand_over(cursor, work)
            with cursor.pipelined():
                commit(cursor, work, effective, self._new_id)
                if brake:
                    brakes.store(cursor, batch[0].message.queue, brake, now)
                if noted := redelivered([parsed.message for parsed in batch]):
                    deliveries.forget(cursor, batch[0].message.queue, noted)
        return _answering_for(len(work.grants), outcomes)

    def _load_brake(
        self, cursor: Cursor, handling: Handling, messages: int, now: datetime
    ) -> Brake | None:
        if self._brake is None or not handling.contract.braked:
            return None
        return brakes.load(cursor, self._brake, messages, now)

    def _count_payments(
        self, cursor: Cursor, batch: Sequence[Parsed], processed: dict[str, bytes], now: datetime
    ) -> Counted:
        """Count what is neither processed nor outdated, before any row is locked."""
        paying = [p for p in batch if p.event.payment and p.identity.id not in processed]
        if not paying or self._ledger is None:
            return Counted()
        users = {parsed.event.subject_id for parsed in paying}
        before = Work(load.outline(cursor, users), now, self._default_quota)
        return self._ledger.apply(_fresh(paying, before), now)


def _answering_for(handed_over: int, outcomes: list[Outcome]) -> list[Outcome]:
    """Let the first message that had an effect report that users of the line are told."""
    first = next((n for n, one in enumerate(outcomes) if one.verdict in EFFECTIVE), None)
    if handed_over and first is not None:
        told = outcomes[first].notified + handed_over
        outcomes[first] = replace(outcomes[first], notified=told)
    return outcomes


def _fresh(batch: Iterable[Parsed], work: Work) -> Iterator[Parsed]:
    """Yield what `decide` will not find duplicate, conflicting or outdated, the batch included."""
    first: dict[str, Parsed] = {}
    for parsed in batch:
        first.setdefault(parsed.identity.id, parsed)
    for parsed in first.values():
        event = parsed.event
        if not is_outdated(event, work):
            work.advance(event.guard, event.aggregate, event.subject_id, event.stamp)
            yield parsed
