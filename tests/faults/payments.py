"""What the billing events do to a household, in the model. Pure.

Failed payments are counted in DynamoDB, and reset by payments, before the database transaction. If
a function is killed between them, or another one has changed the user meanwhile, other events
may be applied in between, and the event itself may be outdated by then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.faults.marks import latest, leaves_debt
from tests.faults.model import named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tests.faults.model import State
    from tests.faults.workload import DrillEvent, Household

THRESHOLD: Final = 3
"""Failed payments that suspend the service."""
FAILURE: Final = "billing.payment_failed"
CREDITS: Final = ("billing.payment_success", "billing.recharged")


def begun(state: State, home: Household, left: Sequence[DrillEvent]) -> Iterator[State]:
    """Yield a state, and those after resets of payments that are not applied yet."""
    yield state
    if not home.failures and all(event.event_type != FAILURE for event in home.events):
        return
    for event in left:
        if event.event_type in CREDITS and not state.is_outdated(event):
            after = state.copy()
            _reset(after, event)
            if after.facts != state.facts:
                yield from begun(after, home, [one for one in left if one is not event])


def is_superseded(state: State, event: DrillEvent) -> bool:
    """Return whether it is a failed payment that a later payment has reset already."""
    reset = state.facts.get(("reset", event.subject))
    return event.event_type == FAILURE and reset is not None and reset > latest(event.at)


def counted_before(state: State, event: DrillEvent) -> Iterator[State]:
    """Yield copies of the state in which an outdated event leaves the count: it may be in it."""
    yield state.copy()
    if event.event_type == FAILURE and not is_superseded(state, event):
        counted = state.copy()
        _count(counted, event)
        yield counted


def rules_of_failure(
    state: State, event: DrillEvent, left: Iterable[DrillEvent]
) -> list[Callable[[State, DrillEvent], None]]:
    """Return what a failed payment may do.

    A function that is killed after counting several payments has each counted again, so they may
    all be told the number of all of them.
    """
    number = state.facts.get(("failures", event.subject), 0) + 1
    last = number + sum(one.event_type == FAILURE for one in left)
    return [_warn] * (number < THRESHOLD) + [_stop_service] * (last >= THRESHOLD)


def overdue(state: State, event: DrillEvent) -> None:
    """Stop an account in debt."""
    state.set_hold(event.subject, "debt")
    state.release(state.held(user=event.subject), "billing_overdue", event)
    state.notify(event.subject, "billing_alert.overdue", named(event))


def credited(state: State, event: DrillEvent) -> None:
    """Lift the hold, unless it is of a debt that is left, or so many payments failed later."""
    failed_later, cause = _reset(state, event), state.hold(event.subject)
    if cause and not (cause == "debt" and leaves_debt(event)):
        state.set_hold(event.subject, "failures" if failed_later >= THRESHOLD else "")
    kind = event.event_type.replace("billing.", "billing_alert.")
    state.notify(event.subject, kind, named(event))


def _warn(state: State, event: DrillEvent) -> None:
    _count(state, event)
    state.notify(event.subject, "billing_alert.payment_failed", named(event))


def _stop_service(state: State, event: DrillEvent) -> None:
    _count(state, event)
    state.set_hold(event.subject, state.hold(event.subject) or "failures")
    state.release(state.held(user=event.subject), "payment_failed", event)
    state.notify(event.subject, "service_suspended", named(event))


def _count(state: State, event: DrillEvent) -> None:
    state.count("failures", event.subject)
    state.facts["counted", event.subject, event.key] = event.at


def _reset(state: State, event: DrillEvent) -> int:
    """Forget the failed payments up to an event, unless a later one did; return how many remain."""
    before = state.facts.get(("reset", event.subject), event.at)
    if before <= latest(event.at):
        state.facts["reset", event.subject] = max(before, event.at)
        counted = [fact for fact in state.facts if fact[:2] == ("counted", event.subject)]
        kept = sum(state.facts[fact] > latest(event.at) for fact in counted)
        for fact in counted:
            if state.facts[fact] <= latest(event.at):
                del state.facts[fact]
        state.facts["failures", event.subject] = kept
    return int(state.facts.get(("failures", event.subject), 0))
