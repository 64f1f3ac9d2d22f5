"""One transaction of a batch: load, decide, commit – run again when somebody else was faster."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

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

    from scheduler.database.bulk import Answer, BulkCursor
    from scheduler.database.connection import Database
    from scheduler.domain.brake import Brake, BrakeLimits
    from scheduler.domain.model import Quota
    from scheduler.domain.state import Snapshot
    from scheduler.ids import NewId
    from scheduler.messaging.validate import Parsed
    from scheduler.payments.ledger import PaymentLedger
    from scheduler.pipeline.rules import Handling


class _Loaded(NamedTuple):
    """What a batch must know: of itself, of the payments, of users and devices, of the brake."""

    processed: dict[str, bytes]
    counted: Counted
    snapshot: Snapshot
    brake: Brake | None


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
        now, queue = self._clock(), batch[0].message.queue
        with self._database.transaction() as cursor:
            loaded = self._load(cursor, batch, handling, now)
            # Read again: whatever we waited for was allocated before this moment.
            counts = loaded.counted.counts
            work = Work(loaded.snapshot, self._clock(), self._default_quota, counts)
            outcomes = decide(batch, work, handling, loaded.processed, loaded.counted, loaded.brake)
            effective = [o.parsed for o in outcomes if o.verdict in EFFECTIVE and o.parsed]
            hand_over(cursor, work)
            with cursor.pipelined():
                commit(cursor, work, effective, self._new_id)
                if loaded.brake:
                    brakes.store(cursor, queue, loaded.brake, now)
                if noted := redelivered([parsed.message for parsed in batch]):
                    deliveries.forget(cursor, queue, noted)
        return _answering_for(len(work.grants), outcomes)

    def _load(
        self, cursor: BulkCursor, batch: Sequence[Parsed], handling: Handling, now: datetime
    ) -> _Loaded:
        """Read in as few waits as there are reads that depend on others."""
        subjects = {parsed.event.subject_id for parsed in batch}
        by_user = handling.contract.aggregate is Aggregate.USER
        users, devices = (subjects, set[str]()) if by_user else (set[str](), subjects)
        ids = {parsed.identity.id for parsed in batch}
        processed = load.ask_processed(cursor, batch[0].message.queue, ids)
        holders = load.ask_holders(cursor, devices)
        counted = self._count_payments(cursor, batch, processed, now)
        locking = load.lock(cursor, users, devices, holders)
        braked = self._brake if handling.contract.braked else None
        # Behind the locks: after a wait for them the brake may have been engaged.
        brake = braked and brakes.ask(cursor, braked, len(batch), now)
        snapshot = locking.snapshot()
        return _Loaded(dict(processed.rows()), counted, snapshot, brake() if brake else None)

    def _count_payments(
        self, cursor: BulkCursor, batch: Sequence[Parsed], processed: Answer, now: datetime
    ) -> Counted:
        """Count what is neither processed nor outdated, before any row is locked."""
        paying = [parsed for parsed in batch if parsed.event.payment]
        if not paying or self._ledger is None:
            return Counted()
        done = dict(processed.rows())
        paying = [parsed for parsed in paying if parsed.identity.id not in done]
        if not paying:
            return Counted()
        users = {parsed.event.subject_id for parsed in paying}
        before = Work(load.outline(cursor, users), now, self._default_quota)
        return self._ledger.apply(_fresh(paying, before), now)


def _answering_for(handed_over: int, outcomes: list[Outcome]) -> list[Outcome]:
    """Let the first message that had an effect report that users of the line are told."""
    first = next((n for n, one in enumerate(outcomes) if one.verdict in EFFECTIVE), None)
    if handed_over and first is not None:
        told = outcomes[first].notified + handed_over
        outcomes[first] = outcomes[first]._replace(notified=told)
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
