"""The transaction of a batch: load, decide, and write with the unit of work."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.database import brake as brakes
from scheduler.database import load, redelivery_notes
from scheduler.database.errors import StaleSnapshotError, is_conflict_without_wait
from scheduler.database.processed_messages import MESSAGES_KEPT, ProcessedMessage
from scheduler.domain.guard import Aggregate, Concern, MarkKey
from scheduler.domain.notices import NoticeKind, dedupe_key
from scheduler.domain.work import Work
from scheduler.messaging.message import FIRST_FAILED_HEADER
from scheduler.payments.ledger import Counted
from scheduler.pipeline.decide import decide, is_outdated
from scheduler.pipeline.outcome import EFFECTIVE, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from scheduler.database.cursor import BulkCursor
    from scheduler.domain.brake import Brake, BrakeLimits
    from scheduler.domain.guard import Mark
    from scheduler.domain.state import Snapshot
    from scheduler.messaging.validate import Parsed
    from scheduler.payments.ledger import PaymentLedger
    from scheduler.pipeline.event_rules import Handling
    from scheduler.pipeline.redelivery import Redeliveries
    from scheduler.pipeline.report import Reporter
    from scheduler.unit_of_work import UnitOfWork, UnitsOfWork


_IDS_CERTAIN: Final = MESSAGES_KEPT - timedelta(days=1)
"""How long the id of an applied message is certainly kept; the purge runs at its own times."""


class _Loaded(NamedTuple):
    processed: dict[str, bytes]
    notified: set[str]
    counted: Counted
    snapshot: Snapshot
    brake: Brake | None


class _Account(NamedTuple):
    """What payments change of a user; the default is that of a user who has no row yet."""

    mark: Mark | None = None
    on_hold: bool = False
    paid_in_debt_at: datetime | None = None
    stopped_at: datetime | None = None


class _Processed:
    """The messages of a batch that were applied before.

    Their ids are kept for `MESSAGES_KEPT`. A message that may be older, such as a dead letter that
    is replayed after a month, is also recognised by the notification that it caused.

    A publisher may use an id again when it is no longer kept. The notification of the former event
    then makes the transaction fail, and all notifications are queried by the next attempt.
    """

    def __init__(
        self, cursor: BulkCursor, batch: Sequence[Parsed], now: datetime, *, after_conflict: bool
    ) -> None:
        ids = {parsed.identity.id for parsed in batch}
        self._ids = load.query_processed(cursor, batch[0].message.queue, ids)
        self._certain_since = now - _IDS_CERTAIN
        self._by_notice = {
            dedupe_key(kind, parsed.key): parsed
            for parsed in batch
            if after_conflict or self._may_be_forgotten(parsed)
            for kind in NoticeKind
        }
        self._found = load.query_notified(cursor, self._by_notice)

    def hashes(self) -> dict[str, bytes]:
        """Return the body hashes of these messages, by id."""
        found = [(self._by_notice[key], user_id) for key, user_id in self._notices()]
        forgotten = [
            parsed.identity
            for parsed, user_id in found
            if self._may_be_forgotten(parsed) and parsed.event.subject_id == user_id
        ]
        return {one.id: one.sha256 for one in forgotten} | dict(self._ids.rows())

    def notified(self) -> set[str]:
        """Return the keys of the notifications that were found."""
        return {key for key, _ in self._notices()}

    def _notices(self) -> Sequence[tuple[str, str]]:
        return self._found.rows() if self._found else ()

    def _may_be_forgotten(self, parsed: Parsed) -> bool:
        return min(parsed.received_at, parsed.event.occurred_at) <= self._certain_since


class BatchTransaction:
    """Applies messages of one queue with a constant number of statements and one commit."""

    def __init__(
        self,
        units: UnitsOfWork,
        redeliveries: Redeliveries,
        reporter: Reporter,
        ledger: PaymentLedger | None,
        brake: BrakeLimits | None = None,
    ) -> None:
        self._units = units
        self._redeliveries = redeliveries
        self._reporter = reporter
        self._ledger = ledger
        self._brake = brake
        self._counted_for: dict[str, _Account] = {}
        """The accounts as they were when payments were last counted, by user."""

    def apply(self, batch: Sequence[Parsed], handling: Handling) -> list[Outcome]:
        """Return an outcome for every message; all effects are committed, or none.

        Raises:
            DatabaseUnavailableError: the database is unavailable.
            PaymentsUnavailableError: DynamoDB is unavailable.
            pymysql.MySQLError, StaleSnapshotError: a statement was refused, or conflicts
                exhausted the retries.
        """
        conflicts = count()
        return self._units.run(
            lambda unit: self._apply(unit, batch, handling, after_conflict=next(conflicts) > 0),
            is_conflict_without_wait,
        )

    def blocked(self, batch: Sequence[Parsed], handling: Handling) -> set[str]:
        """Return the users or devices of a batch whose rows other transactions have locked.

        Raises:
            DatabaseUnavailableError: the database is unavailable.
            pymysql.MySQLError: the tables themselves are locked, by DDL of a migration.
        """
        from scheduler.database.locked_rows import (  # noqa: PLC0415 - a cold start need not have it
            find_blocked,
        )

        subjects = {parsed.event.subject_id for parsed in batch}
        by_user = handling.contract.aggregate is Aggregate.USER
        with self._units.database.transaction() as cursor:
            users, devices = (subjects, ()) if by_user else ((), subjects)
            return find_blocked(cursor, users, devices, erases=handling.contract.erases)

    def _apply(
        self, unit: UnitOfWork, batch: Sequence[Parsed], handling: Handling, *, after_conflict: bool
    ) -> list[Outcome]:
        now, queue, cursor = self._units.clock(), batch[0].message.queue, unit.cursor
        loaded = self._load(cursor, batch, handling, now, after_conflict=after_conflict)
        failures = loaded.counted.counts | loaded.counted.left
        work = unit.begin(
            loaded.snapshot,
            payment_failures=failures if self._ledger else None,
            notified=loaded.notified,
        )
        brake = loaded.brake
        outcomes = decide(batch, work, handling, loaded.processed, loaded.counted, brake)
        unit.mark_processed(list(_processed(outcomes)))
        if brake:
            unit.add_write(lambda: brakes.store(cursor, queue, brake, now))
        if noted := self._redeliveries.noted([parsed.message for parsed in batch]):
            unit.add_write(lambda: redelivery_notes.forget(cursor, queue, noted))
        unit.meanwhile(lambda: self._reporter.prepare(outcomes))
        return outcomes

    def _load(
        self,
        cursor: BulkCursor,
        batch: Sequence[Parsed],
        handling: Handling,
        now: datetime,
        *,
        after_conflict: bool,
    ) -> _Loaded:
        """Read what the batch needs, waiting only where one read depends on another."""
        subjects = {parsed.event.subject_id for parsed in batch}
        by_user = handling.contract.aggregate is Aggregate.USER
        users, devices = (subjects, set[str]()) if by_user else (set[str](), subjects)
        holders = load.query_holders(cursor, devices)
        # After the holders, for whom the locks wait: it is executed while those are built.
        processed = _Processed(cursor, batch, now, after_conflict=after_conflict)
        counted, known = self._count_payments(cursor, batch, processed, now)
        locking = load.query_locks(cursor, users, devices, holders)
        braked = self._brake if handling.contract.braked else None
        # Queried after the locks: the brake may have been engaged while this batch waited for them.
        brake = braked and brakes.query(cursor, braked, now)
        snapshot = locking.snapshot()
        self._require_same_payments(known, snapshot)
        return _Loaded(
            processed.hashes(), processed.notified(), counted, snapshot, brake() if brake else None
        )

    def _count_payments(
        self, cursor: BulkCursor, batch: Sequence[Parsed], processed: _Processed, now: datetime
    ) -> tuple[Counted, dict[str, _Account]]:
        """Count what is neither processed nor outdated, before any row is locked.

        The result comes with the accounts as they were before.
        """
        paying = [parsed for parsed in batch if parsed.event.payment]
        if not paying or self._ledger is None:
            return Counted(), {}
        done = processed.hashes()
        paying = [parsed for parsed in paying if parsed.identity.id not in done]
        if not paying:
            return Counted(), {}
        paid_by = {parsed.event.subject_id for parsed in paying}
        known = load.read_users(cursor, paid_by)
        accounts = _accounts(paid_by, known)
        if any(self._counted_for.get(id_, account) != account for id_, account in accounts.items()):
            self._ledger.forget()  # if this is another attempt, a payment may have come before it
        self._counted_for = accounts
        fresh = _fresh(paying, Work(known, now, self._units.default_quota))
        return self._ledger.apply(fresh, now, self._units.database.deadline), accounts

    def _require_same_payments(self, known: dict[str, _Account], locked: Snapshot) -> None:
        """Make the batch run again if another one has settled or stopped an account meanwhile.

        Raises:
            StaleSnapshotError: the count may include failures that a payment has cleared since, or
                a payment may ignore failures that have stopped the account since.
        """
        if self._ledger and _accounts(known, locked) != known:
            self._ledger.forget()
            raise StaleSnapshotError


def _accounts(ids: Iterable[str], snapshot: Snapshot) -> dict[str, _Account]:
    return {id_: _account(id_, snapshot) for id_ in ids}


def _account(id_: str, snapshot: Snapshot) -> _Account:
    mark = snapshot.marks.get(MarkKey(Aggregate.USER, id_, Concern.BILLING))
    user = snapshot.users.get(id_)
    if user is None:
        return _Account(mark)
    return _Account(mark, user.billing_hold, user.paid_in_debt_at, user.stopped_at)


def _processed(outcomes: Iterable[Outcome]) -> Iterator[ProcessedMessage]:
    for outcome in outcomes:
        if outcome.parsed and outcome.verdict in EFFECTIVE:
            applied = outcome.verdict is Verdict.DONE
            yield ProcessedMessage(outcome.parsed, applied, _detail(outcome, outcome.parsed))


def _detail(outcome: Outcome, parsed: Parsed) -> str:
    """Return what no other timeline entry shows: payment counts, and the time waited."""
    parts = list(outcome.remarks) if parsed.event.payment else []
    if FIRST_FAILED_HEADER in parsed.message.headers:
        attempts = parsed.message.attempt
        why = f"failed attempts: {attempts}" if attempts else "parked or held"
        parts.append(f"waited since {parsed.received_at:%Y-%m-%d %H:%M:%S} ({why})")
    return "; ".join(parts)


def _fresh(batch: Iterable[Parsed], work: Work) -> Iterator[Parsed]:
    """Yield what `decide` will not find duplicate, conflicting or outdated within the batch."""
    first: dict[str, Parsed] = {}
    for parsed in batch:
        first.setdefault(parsed.identity.id, parsed)
    for parsed in first.values():
        event = parsed.event
        if not is_outdated(event, work):
            work.advance(event.advances, event.aggregate, event.subject_id, event.stamp)
            yield parsed
