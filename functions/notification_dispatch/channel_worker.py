"""Sends the due deliveries of one channel, several at once, and records their results.

Every channel has a worker with its own claims, threads and database connection, so a provider that
hangs delays no other channel.
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final, NamedTuple

from notification_dispatch.channels.sender import Accepted, SendResponse, Unreachable
from notification_dispatch.circuit_breaker import CircuitBreaker
from notification_dispatch.delivery_log import log_locked, log_results
from notification_dispatch.invocation import POLL_SECONDS, Invocation
from notification_dispatch.send_window import SendWindow
from scheduler.aws_errors import ErrorClass
from scheduler.database.errors import DatabaseUnavailableError
from scheduler.observability.logger import service_logger
from scheduler.outbox.delivery import Delivery, DeliveryOutcome, DeliveryResult
from scheduler.outbox.hourly_limit import as_message
from scheduler.outbox.retry_policy import (
    ProviderError,
    check_before_sending,
    outcome_of,
)
from scheduler.outbox.turns import TURN_SIZE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from notification_dispatch.channels.sender import Sender
    from scheduler.outbox.claims import Claims

MAX_CLAIMED: Final = 100
"""Maximum number of deliveries that a worker has claimed at a time."""

RECORD_INTERVAL_SECONDS: Final = 0.05
"""How long results are collected for one statement while more deliveries wait to be sent."""

MAX_TURN_SECONDS: Final = 2.0
"""After this time, other users get their turn before the next delivery of a user is sent."""

_MAX_SLEEP_SECONDS: Final = 2.0
"""The worker waits for a pause of the circuit breaker up to this length; a longer one ends its
work."""

_RECORD_RETRY_DELAYS: Final = (0.2, 0.5, 1.0, 2.0)
"""Seconds."""

logger: Final = service_logger()


class _Finished(NamedTuple):
    """The result of a delivery, or the delivery itself if it was not attempted.

    ``in_window``: it occupies a place in the send window.
    """

    item: DeliveryResult | Delivery
    in_window: bool = False


class ChannelWorker:
    """The worker of one channel. Its threads outlive an invocation, its claims do not."""

    def __init__(  # noqa: PLR0913 - the last four have defaults
        self,
        claims: Claims,
        sender: Sender,
        *,
        threads: int,
        clock: Callable[[], datetime],
        jitter: Callable[[], float] = random.random,
        breaker: CircuitBreaker | None = None,
        window: SendWindow | None = None,
        hourly_limit: int | None = None,
    ) -> None:
        self.channel = sender.channel
        self._claims = claims
        self._sender = sender
        self._threads = threads
        self._clock = clock
        self._jitter = jitter
        self._breaker = breaker or CircuitBreaker()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=sender.channel)
        self._window = window or SendWindow()
        self._hourly_limit = hourly_limit
        self._finished: SimpleQueue[_Finished] = SimpleQueue()
        self._in_flight: Counter[str] = Counter()
        self._with_more_due: set[str] = set()
        self._locked: list[DeliveryResult] = []
        self._probe: Delivery | None = None
        self._next_claim_at = 0.0
        self._stopped = False

    def work(self, invocation: Invocation) -> Counter[DeliveryOutcome]:
        """Send until the invocation ends and all results are recorded; count the outcomes.

        Raises:
            DatabaseUnavailableError: after all deliveries in flight have ended.
        """
        self._next_claim_at, self._stopped, self._locked = 0.0, False, []
        counts: Counter[DeliveryOutcome] = Counter()
        try:
            while True:
                self._claim_and_submit(invocation)
                if self._unrecorded:
                    self._record(self._collect(), counts, invocation)
                elif self._locked and not invocation.time_is_up:
                    invocation.sleep(POLL_SECONDS)
                    self._record((), counts, invocation)
                elif 0 < self._breaker.pause <= _MAX_SLEEP_SECONDS and not invocation.time_is_up:
                    invocation.sleep(self._breaker.pause)
                elif not invocation.wait_for_work():
                    log_locked(self._locked)
                    return counts
        except BaseException:
            self._drain()
            invocation.leave()
            raise

    def _claim_and_submit(self, invocation: Invocation) -> None:
        """Claim deliveries and submit them to the threads, if there is room and time."""
        half_open = self._breaker.tripped
        full = self._unrecorded > (0 if half_open else MAX_CLAIMED // 2)
        too_early = time.monotonic() < self._next_claim_at
        if full or invocation.time_is_up or self._breaker.pause or too_early:
            return
        wanted = 1 if half_open else MAX_CLAIMED - self._unrecorded
        claimed = self._claim_probe(invocation) if half_open else []
        claimed = claimed or self._claims.claim(wanted, invocation.lease, self._in_flight.keys())
        # Fewer than wanted: more are due only for users who had a whole turn.
        self._next_claim_at = time.monotonic() + POLL_SECONDS if len(claimed) < wanted else 0.0
        turns = Counter(map(_user, claimed))
        self._with_more_due.update(user for user in turns if turns[user] >= TURN_SIZE)
        held = self._held_back(claimed)
        # Count each one when it is queued: after a bug in here, _drain waits only for those.
        for result in held.values():
            self._in_flight[_user(result.delivery)] += 1
            self._finished.put(_Finished(result))
        for batch in _by_user(one for one in claimed if one.id not in held):
            self._pool.submit(self._send, batch, invocation)
            self._in_flight[_user(batch[0])] += len(batch)

    def _held_back(self, claimed: Sequence[Delivery]) -> dict[int, DeliveryResult]:
        """Return by id the results of deliveries that must not be sent now."""
        now = self._clock()
        checked = {one.id: check_before_sending(one, now) for one in claimed}
        held = {id_: result for id_, result in checked.items() if result}
        if self._hourly_limit:
            sendable = [one for one in claimed if one.id not in held]
            above = self._claims.above_limit(sendable, self._hourly_limit)
            held |= {result.delivery.id: result for result in above}
        return held

    def _claim_probe(self, invocation: Invocation) -> list[Delivery]:
        """Claim the delivery that got no response; it may have been sent already.

        Probing with others would send each of them twice if the provider is only slow.
        """
        return self._claims.claim_again(self._probe, invocation.lease) if self._probe else []

    def _send(self, batch: Sequence[Delivery], invocation: Invocation) -> None:
        """Send one user's deliveries in a thread of the pool.

        Every delivery is put into the queue, attempted or not.
        """
        responses, turn_ends_at = self._sender.send([as_message(one) for one in batch]), None
        for delivery in batch:
            self._window.acquire()
            time_is_up = invocation.time_is_up or time.monotonic() > (turn_ends_at or math.inf)
            turn_ends_at = turn_ends_at or time.monotonic() + MAX_TURN_SECONDS
            skip = time_is_up or self._stopped or self._breaker.pause
            item = delivery if skip else self._send_next(delivery, responses)
            self._finished.put(_Finished(item, in_window=True))

    def _send_next(
        self, delivery: Delivery, responses: Iterator[SendResponse]
    ) -> DeliveryResult | Delivery:
        try:
            response = next(responses, None)
        except Exception as bug:
            logger.exception("Sending raised an error", extra={"delivery_id": delivery.id})
            error = ProviderError(ErrorClass.TRANSIENT, f"bug: {type(bug).__name__}")
            return outcome_of(error, delivery, self._clock(), self._jitter)
        match response:
            case Accepted(provider_message_id):
                self._breaker.record(None)
                self._probe = None
                return DeliveryResult(
                    delivery, DeliveryOutcome.SENT, provider_message_id=provider_message_id
                )
            case Unreachable(reason):
                return DeliveryResult(delivery, DeliveryOutcome.SKIPPED, reason)
            case ProviderError():
                now = self._clock()
                result = outcome_of(response, delivery, now, self._jitter)
                pause = (result.due_at - now).total_seconds() if result.due_at else 0.0
                self._breaker.record(response.error_class, _user(delivery), pause)
                if response.error_class is ErrorClass.UNCERTAIN:
                    self._probe = delivery if result.due_at else None
                return result
        return delivery  # an earlier delivery of the batch raised, which ended the iterator

    def _collect(self) -> list[_Finished]:
        """Wait for deliveries to finish; an empty list means that it is time to claim more."""
        finished: list[_Finished] = []
        timeout, until = POLL_SECONDS, time.monotonic() + RECORD_INTERVAL_SECONDS
        while len(finished) < min(self._unrecorded, self._window.batch_size):
            try:
                finished.append(self._finished.get(timeout=max(0.0, timeout)))
            except Empty:
                break
            backlog = self._unrecorded - len(finished) > self._threads
            timeout = until - time.monotonic() if backlog else 0.0
        return finished

    def _record(
        self,
        finished: Sequence[_Finished],
        counts: Counter[DeliveryOutcome],
        invocation: Invocation,
    ) -> None:
        for one in finished:
            self._forget(one.item)
        results = [one.item for one in finished if isinstance(one.item, DeliveryResult)]
        not_attempted = [one.item for one in finished if isinstance(one.item, Delivery)]
        try:
            if results or self._locked:
                self._locked = self._record_with_retries([*self._locked, *results])
            if not_attempted:
                self._claims.release(not_attempted)
                self._next_claim_at = 0.0
        finally:
            self._window.release(sum(one.in_window for one in finished))
            log_results(results)
        counts.update(result.outcome for result in results)
        invocation.measure(results, self._clock())

    def _record_with_retries(self, results: Sequence[DeliveryResult]) -> list[DeliveryResult]:
        """Record results; return those of deliveries that another transaction has locked.

        They are recorded with later ones. If that does not succeed in this invocation, they are
        sent again when their claims expire.
        """
        for delay in _RECORD_RETRY_DELAYS:
            try:
                return self._claims.record(results)
            except DatabaseUnavailableError:
                time.sleep(delay)
        return self._claims.record(results)

    def _forget(self, item: DeliveryResult | Delivery) -> None:
        user = _user(item.delivery if isinstance(item, DeliveryResult) else item)
        self._in_flight[user] -= 1
        if not self._in_flight[user]:
            del self._in_flight[user]
            if user in self._with_more_due:
                self._with_more_due.remove(user)
                self._next_claim_at = 0.0

    @property
    def _unrecorded(self) -> int:
        return self._in_flight.total()

    def _drain(self) -> None:
        """Wait for deliveries in flight: a frozen thread would resume in a later invocation."""
        self._stopped = True
        results: list[DeliveryResult] = []
        while self._unrecorded:
            item, in_window = self._finished.get()
            self._window.release(in_window)
            self._forget(item)
            if isinstance(item, DeliveryResult):
                results.append(item)
        log_results(results)


def _user(delivery: Delivery) -> str:
    return delivery.recipient.user_id


def _by_user(deliveries: Iterable[Delivery]) -> Iterable[Sequence[Delivery]]:
    """Split into one batch for each user, whose deliveries keep their order."""
    batches: defaultdict[str, list[Delivery]] = defaultdict(list)
    for delivery in deliveries:
        batches[_user(delivery)].append(delivery)
    return batches.values()
