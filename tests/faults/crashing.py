"""The function's database, publisher and ledger, with crash points between their steps."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from scheduler.database.connection import Database
from scheduler.deadline import NEVER
from scheduler.messaging.publisher import Publisher
from scheduler.payments.ledger import PaymentLedger
from tests.faults.crash_points import CrashPoint, CrashTrigger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from scheduler.database.cursor import BulkCursor, PendingResult
    from scheduler.deadline import Deadline
    from scheduler.messaging.outbound import OutboundMessage
    from scheduler.messaging.validate import Parsed
    from scheduler.payments.failure import Failure
    from scheduler.payments.ledger import Counted, PaymentCounter
    from scheduler.settings import BrokerSettings, DatabaseSettings


class StepCursor:
    """A cursor with crash points; its first statement tells batches from redelivery notes."""

    def __init__(self, cursor: BulkCursor, trigger: CrashTrigger) -> None:
        self._cursor = cursor
        self._trigger = trigger
        self._started = False
        self._writes = False
        self.is_batch = False

    def execute(self, query: str, args: object = None) -> int:
        self._begin(query)
        return self._cursor.execute(query, args)

    def send_query(self, query: str, args: tuple[object, ...]) -> PendingResult:
        self._begin(query)
        return self._cursor.send_query(query, args)

    def executemany(self, query: str, rows: Sequence[tuple[Any, ...]]) -> int:
        self._begin(query)
        if self.is_batch:
            self._trigger.reach(CrashPoint.WHILE_WRITING if self._writes else CrashPoint.AFTER_LOAD)
        self._writes = True
        return self._cursor.executemany(query, rows) or 0

    def pipelined(self) -> AbstractContextManager[None]:
        return self._cursor.pipelined()

    def fetchall(self) -> object:
        return self._cursor.fetchall()

    def _begin(self, query: str) -> None:
        if not self._started:
            self._started = True
            self.is_batch = "FROM processed_messages" in query
            point = CrashPoint.BEFORE_LOAD if self.is_batch else CrashPoint.BEFORE_NOTE
            self._trigger.reach(point)


class CrashingDatabase(Database):
    """A database whose transactions have crash points."""

    def __init__(
        self,
        settings: DatabaseSettings,
        trigger: CrashTrigger,
        cursor: type[StepCursor],
        committed: Callable[[], None],
    ) -> None:
        super().__init__(settings)
        self._trigger = trigger
        self._cursor = cursor
        self._committed = committed

    @contextmanager
    def transaction(self) -> Iterator[BulkCursor]:
        with super().transaction() as real:
            cursor = self._cursor(real, self._trigger)
            yield cast("BulkCursor", cursor)
            if cursor.is_batch:
                self._trigger.reach(CrashPoint.BEFORE_COMMIT)
        if cursor.is_batch:
            self._committed()
        self._trigger.reach(CrashPoint.AFTER_COMMIT if cursor.is_batch else CrashPoint.AFTER_NOTE)


class CrashingPublisher(Publisher):
    """A publisher with crash points before, within and after a batch, and around a nudge."""

    def __init__(self, settings: BrokerSettings, trigger: CrashTrigger) -> None:
        super().__init__(settings)
        self._trigger = trigger

    def publish(self, messages: Iterable[OutboundMessage]) -> None:
        listed = list(messages)
        for part in filter(None, (listed[:1], listed[1:])):
            self._trigger.reach(CrashPoint.BEFORE_PUBLISH)
            super().publish(part)
            self._trigger.reach(CrashPoint.AFTER_PUBLISH)

    def publish_within(self, message: OutboundMessage, seconds: float) -> None:
        self._trigger.reach(CrashPoint.BEFORE_NUDGE)
        super().publish_within(message, seconds)
        self._trigger.reach(CrashPoint.AFTER_NUDGE)


class CrashingLedger(PaymentLedger):
    """A ledger with crash points around and between its counts."""

    def __init__(self, counter: PaymentCounter, trigger: CrashTrigger) -> None:
        super().__init__(_CrashingCounter(counter, trigger))
        self._trigger = trigger

    def apply(self, batch: Iterable[Parsed], now: datetime, deadline: Deadline = NEVER) -> Counted:
        self._trigger.reach(CrashPoint.BEFORE_COUNT)
        counted = super().apply(batch, now, deadline)
        self._trigger.reach(CrashPoint.AFTER_COUNT)
        return counted


class _CrashingCounter:
    def __init__(self, counter: PaymentCounter, trigger: CrashTrigger) -> None:
        self._counter = counter
        self._trigger = trigger

    def count(self, user_id: str, message_id: str, at: datetime, now: datetime) -> int | None:
        count = self._counter.count(user_id, message_id, at, now)
        self._trigger.reach(CrashPoint.WHILE_COUNTING)
        return count

    def count_together(self, failures: Sequence[Failure], now: datetime) -> dict[str, int | None]:
        counts = self._counter.count_together(failures, now)
        self._trigger.reach(CrashPoint.WHILE_COUNTING)
        return counts

    def reset(self, user_id: str, at: datetime, now: datetime) -> int:
        left = self._counter.reset(user_id, at, now)
        self._trigger.reach(CrashPoint.WHILE_COUNTING)
        return left
