"""Applies the rule of each message of a batch, in order. Performs no I/O."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final, TypeVar

from scheduler.domain.guard import Aggregate, Concern
from scheduler.domain.model import EarlyReport, Health, UserStatus, is_canary
from scheduler.domain.notices import NoticeKind
from scheduler.payments.ledger import Counted
from scheduler.pipeline.outcome import EFFECTIVE, Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scheduler.domain.brake import Brake
    from scheduler.domain.work import Work
    from scheduler.messaging.contract import Event
    from scheduler.messaging.validate import Parsed
    from scheduler.pipeline.event_rules import Handling

T = TypeVar("T")

_HELD: Final = "held by the mass-failure brake; an operator decides: scheduler-ops brake status"


def decide(
    batch: Iterable[Parsed],
    work: Work,
    handling: Handling,
    processed: Mapping[str, bytes],
    counted: Counted | None = None,
    brake: Brake | None = None,
) -> list[Outcome]:
    """Return the outcome of every message; their changes are recorded in ``work``.

    Args:
        batch: messages of one queue, in order.
        work: collects the changes; its snapshot covers all users and devices of the batch.
        handling: contract and rule of the queue.
        processed: body hashes of the messages whose effect is already stored, by id.
        counted: the result of counting the failed payments of the batch.
        brake: holds messages that release too many devices; None if the event is not braked.
    """
    known, counted = dict(processed), counted or Counted()
    outcomes = []
    for parsed in batch:
        outcome = _decide_one(parsed, work, handling, known, counted, brake)
        if outcome.verdict in EFFECTIVE:
            known[parsed.identity.id] = parsed.identity.sha256
        outcomes.append(outcome)
    return outcomes


def _decide_one(
    parsed: Parsed,
    work: Work,
    handling: Handling,
    known: Mapping[str, bytes],
    counted: Counted,
    brake: Brake | None,
) -> Outcome:
    before = known.get(parsed.identity.id)
    if before is not None:
        return _seen_before(parsed, same=before == parsed.identity.sha256)
    if parsed.key in counted.refused:
        return Outcome(parsed.message, Verdict.FAILED, parsed, counted.refused[parsed.key])
    if parsed.key in counted.postponed:
        why = f"parked: {counted.postponed[parsed.key]}"
        return Outcome(parsed.message, Verdict.PARKED, parsed, why)
    if parsed.key in counted.superseded or is_outdated(parsed.event, work):
        return _pass_over(parsed, work, handling)
    return _apply(parsed, work, handling, brake)


def _seen_before(parsed: Parsed, *, same: bool) -> Outcome:
    if same:
        return Outcome(parsed.message, Verdict.DUPLICATE, parsed)
    error = f"conflicting duplicate: message {parsed.identity.id} came before with another body"
    return Outcome(parsed.message, Verdict.CONFLICT, parsed, error)


def _pass_over(parsed: Parsed, work: Work, handling: Handling) -> Outcome:
    work.begin(parsed.key, parsed.message.trace)
    _note_early(parsed.event, work)
    try:
        if handling.if_outdated:
            handling.if_outdated(parsed.event, work)
    except Exception as error:  # noqa: BLE001 - an error of a rule fails its message only
        return _undone(parsed, work, error)
    return Outcome(parsed.message, Verdict.OUTDATED, parsed)


def _undone(parsed: Parsed, work: Work, error: Exception) -> Outcome:
    work.undo()
    return Outcome(parsed.message, Verdict.FAILED, parsed, f"{type(error).__name__}: {error}")


def _apply(parsed: Parsed, work: Work, handling: Handling, brake: Brake | None) -> Outcome:
    event = parsed.event
    released, notified = len(work.releases), len(work.notices)
    work.begin(parsed.key, parsed.message.trace)
    try:
        work.ensure_exists(event.aggregate, event.subject_id)
        handling.rule(event, work)
        work.advance(event.advances, event.aggregate, event.subject_id, event.stamp)
    except Exception as error:  # noqa: BLE001 - an error of a rule fails its message only
        return _undone(parsed, work, error)
    releases = 0 if is_canary(event.subject_id) else len(work.releases) - released
    if brake and not brake.admit(releases):
        _hold(event, work)
        return Outcome(parsed.message, Verdict.HELD, parsed, _HELD)
    kinds = [one.kind for one in _last(work.notices, len(work.notices) - notified)]
    of_releases = kinds.count(NoticeKind.DEVICE_RELEASED)
    return Outcome(
        parsed.message,
        Verdict.DONE,
        parsed,
        remarks=tuple(work.remarks),
        released=tuple(r.reason.code for r in _last(work.releases, len(work.releases) - released)),
        notified=of_releases,
        account_notices=len(kinds) - of_releases,
    )


def _hold(event: Event, work: Work) -> None:
    """Undo what the rule did, but take the device out of the pool.

    If the report is true, no other user may get the device; if not, a newer report brings it back.
    No mark is set, so the held message is still applied when an operator lets it through. The
    report is noted instead: an older one that comes late must not bring the device back.
    """
    id_, health = event.subject_id, work.device(event.subject_id).health
    work.undo()
    if work.device(id_).health is not health:
        work.set_device_health(id_, health)
    work.note_early_report(id_, EarlyReport(health, event.stamp))


def _note_early(event: Event, work: Work) -> None:
    """Note what is reported about a deleted device: it may have been created again before."""
    id_, health = event.subject_id, event.reports
    if health is None or not _is_deleted(event, work):
        return
    if not work.is_outdated(Concern.HEALTH, event.aggregate, id_, event.stamp):
        work.note_early_report(id_, EarlyReport(health, event.stamp))


def _last(recorded: dict[str, T], count: int) -> Iterable[T]:
    # From the end: in a batch of 10,000, no message may iterate over all changes before it.
    return islice(reversed(recorded.values()), count)


def is_outdated(event: Event, work: Work) -> bool:
    """Return whether a newer event was applied, or the event's user or device is deleted.

    A report that a device runs is outdated, too, if the brake holds a newer one about it.
    """
    concern, id_ = event.guard.compares, event.subject_id
    if concern and work.is_outdated(concern, event.aggregate, id_, event.stamp):
        return True
    if event.reports is Health.RUNNING and work.is_held_newer(id_, event.stamp):
        return True
    return not event.applies_to_deleted and _is_deleted(event, work)


def _is_deleted(event: Event, work: Work) -> bool:
    if event.aggregate is Aggregate.USER:
        return work.user(event.subject_id).status is UserStatus.DELETED
    return work.device(event.subject_id).health is Health.DELETED
