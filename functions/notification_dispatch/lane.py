"""Sends what is due on one channel, several at once, and records what became of it.

Every channel has a lane of its own – claims, threads, database connection –, so that one whose
provider hangs holds up nobody but itself.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, NamedTuple

from notification_dispatch.breaker import Breaker
from notification_dispatch.channels.sender import Accepted, Answer, Unreachable
from notification_dispatch.credit import Credit
from notification_dispatch.report import report_trouble
from notification_dispatch.shift import POLL, Shift
from scheduler.database.errors import DatabaseUnavailableError
from scheduler.outbox.delivery import Delivery, DeliveryOutcome, DeliveryResult
from scheduler.outbox.retry_policy import (
    ErrorClass,
    ProviderError,
    check_before_sending,
    outcome_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from notification_dispatch.channels.sender import Sender
    from scheduler.outbox.claims import Claims

CLAIM: Final = 100
"""Deliveries a lane holds at most."""

LINGER: Final = 0.05
"""Seconds for which results are gathered into one statement while more wait to be sent."""

_SHORT_PAUSE: Final = 2.0
_PATIENCE: Final = (0.2, 0.5, 1.0, 2.0)
"""Seconds between tries to record what was sent."""


class _End(NamedTuple):
    """The result of a delivery, or the delivery itself if it was not tried.

    ``on_credit``: it counts as sent and not yet recorded.
    """

    what: DeliveryResult | Delivery
    on_credit: bool = False


class Lane:
    """One channel's worker. Its threads outlive the shift, what it holds does not."""

    def __init__(
        self,
        claims: Claims,
        sender: Sender,
        *,
        threads: int,
        clock: Callable[[], datetime],
        jitter: Callable[[], float] = random.random,
        breaker: Breaker | None = None,
        credit: Credit | None = None,
    ) -> None:
        self.channel = sender.channel
        self._claims = claims
        self._sender = sender
        self._threads = threads
        self._clock = clock
        self._jitter = jitter
        self._breaker = breaker or Breaker()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=sender.channel)
        self._credit = credit or Credit()
        self._ended: SimpleQueue[_End] = SimpleQueue()
        self._in_hand = 0
        self._look_again_at = 0.0
        self._stopped = False

    def work(self, shift: Shift) -> Counter[DeliveryOutcome]:
        """Work until the shift is over and everything begun is recorded; return what became.

        Raises:
            DatabaseUnavailableError: the database is away. What was being sent has ended.
        """
        self._look_again_at, self._stopped = 0.0, False
        tally: Counter[DeliveryOutcome] = Counter()
        try:
            while True:
                self._take(shift)
                if self._in_hand:
                    self._write_down(self._collect(), tally)
                elif 0 < self._breaker.pause <= _SHORT_PAUSE and not shift.over:
                    shift.pause(self._breaker.pause)
                elif not shift.rest():
                    return tally
        except BaseException:
            self._stop()
            shift.leave()
            raise

    def _take(self, shift: Shift) -> None:
        """Claim deliveries and hand them to the threads, if there is room and reason."""
        probing = self._breaker.doubtful
        full = self._in_hand > (0 if probing else CLAIM // 2)
        if full or shift.over or self._breaker.pause or time.monotonic() < self._look_again_at:
            return
        wanted = 1 if probing else CLAIM - self._in_hand
        claimed = self._claims.claim(wanted, shift.lease)
        # Fewer than wanted are all there are.
        self._look_again_at = time.monotonic() + POLL if len(claimed) < wanted else 0.0
        now = self._clock()
        held = {delivery.id: check_before_sending(delivery, now) for delivery in claimed}
        # Counted one by one: what a bug keeps from being sent never comes back to be waited for.
        for result in filter(None, held.values()):
            self._ended.put(_End(result))
            self._in_hand += 1
        for batch in self._sender.batches([one for one in claimed if not held[one.id]]):
            self._pool.submit(self._send, batch, shift)
            self._in_hand += len(batch)

    def _send(self, batch: Sequence[Delivery], shift: Shift) -> None:
        """Send, in a thread of the pool. Every delivery comes back, tried or not."""
        answers = self._sender.send(batch)
        for delivery in batch:
            self._credit.take()
            left_alone = shift.over or self._stopped or self._breaker.pause
            what = delivery if left_alone else self._ask(delivery, answers)
            self._ended.put(_End(what, on_credit=True))

    def _ask(self, delivery: Delivery, answers: Iterator[Answer]) -> DeliveryResult | Delivery:
        try:
            answer = next(answers, None)
        except Exception as bug:  # noqa: BLE001 - one delivery we cannot send must not stop the lane
            answer = ProviderError(ErrorClass.TRANSIENT, f"bug: {type(bug).__name__}")
            return self._report(outcome_of(answer, delivery, self._clock(), self._jitter), bug)
        match answer:
            case Accepted():
                self._breaker.note(None)
                return DeliveryResult(
                    delivery, DeliveryOutcome.SENT, provider_message_id=answer.provider_message_id
                )
            case Unreachable():
                return DeliveryResult(delivery, DeliveryOutcome.SKIPPED, answer.reason)
            case ProviderError():
                self._breaker.note(answer.error_class)
                return self._report(outcome_of(answer, delivery, self._clock(), self._jitter))
        return delivery  # a bug ended the batch before it

    @staticmethod
    def _report(result: DeliveryResult, bug: Exception | None = None) -> DeliveryResult:
        report_trouble(result, bug)
        return result

    def _collect(self) -> list[_End]:
        """Wait for deliveries to end; an empty list says that it is time to look for more."""
        ended: list[_End] = []
        patience, until = POLL, time.monotonic() + LINGER
        while len(ended) < min(self._in_hand, self._credit.half):
            try:
                ended.append(self._ended.get(timeout=max(0.0, patience)))
            except Empty:
                break
            backlog = self._in_hand - len(ended) > self._threads
            patience = until - time.monotonic() if backlog else 0.0
        return ended

    def _write_down(self, ended: Sequence[_End], tally: Counter[DeliveryOutcome]) -> None:
        self._in_hand -= len(ended)
        results = [one.what for one in ended if isinstance(one.what, DeliveryResult)]
        untouched = [one.what for one in ended if isinstance(one.what, Delivery)]
        try:
            if results:
                self._record(results)
            if untouched:
                self._claims.release(untouched)
        finally:
            self._credit.give_back(sum(one.on_credit for one in ended))
        tally.update(result.outcome for result in results)

    def _record(self, results: Sequence[DeliveryResult]) -> None:
        for pause in _PATIENCE:
            try:
                return self._claims.record(results)
            except DatabaseUnavailableError:
                time.sleep(pause)
        return self._claims.record(results)

    def _stop(self) -> None:
        """Wait for what is under way: a frozen thread would go on in a later invocation."""
        self._stopped = True
        while self._in_hand:
            self._credit.give_back(self._ended.get().on_credit)
            self._in_hand -= 1
