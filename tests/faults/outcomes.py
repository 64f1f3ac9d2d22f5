"""Every state that a household may end in. Pure.

Queues overtake each other, so events are applied in any order, each once. Which of them are
outdated follows from their times. What a household ends like must be what some order leads to; the
orders are searched by the set of events applied, since many orders lead to the same state.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from tests.faults import payments
from tests.faults.model import EFFECTS, Facts, State, named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.faults.marks import Mark
    from tests.faults.workload import DrillEvent, Household

_HIDDEN: Final = frozenset({"counted", "reset", "early"})
"""Kinds of facts that only decide about others."""


def outcomes(home: Household) -> list[Facts]:
    """Return every state that a household may end in."""
    level: dict[frozenset[str], list[State]] = {frozenset(): [State.before(home)]}
    for _ in home.events:
        following: dict[frozenset[str], dict[frozenset[Any], State]] = {}
        for done, states in level.items():
            left = [event for event in home.events if event.key not in done]
            for event in left:
                reached = following.setdefault(done | {event.key}, {})
                others = [one for one in left if one is not event]
                begun = chain(*(payments.begun(state, home, left) for state in states))
                for state in chain(*(_apply(state, event, others) for state in begun)):
                    reached.setdefault(frozenset(state.facts.items()), state)
        level = {done: list(reached.values()) for done, reached in following.items()}
    ends = [_housekept(state, home) for state in chain(*level.values())]
    return list({frozenset(facts.items()): facts for facts in ends}.values())


def _apply(before: State, event: DrillEvent, left: Iterable[DrillEvent]) -> Iterator[State]:
    """Yield the states to which an event leads, given those that are not applied yet."""
    if before.is_outdated(event) or payments.is_superseded(before, event):
        for state in payments.counted_before(before, event):
            state.note_early(event)
            state.count("processed", event.id, event.queue, "outdated")
            yield state
        return
    for apply in _rules(before, event, left):
        state = before.copy()
        _ensure_exists(state, event)
        apply(state, event)
        state.advance(event)
        state.count("processed", event.id, event.queue, "applied")
        yield from _hand_over(state)


def _hand_over(state: State) -> Iterator[State]:
    """Yield the states in which a freed device is kept or given to someone who waits.

    Someone who waits is passed over while another transaction has locked them.
    """
    yield state
    for device in sorted(state.changed):
        for entry in list(state.waiting(device)):
            served = state.copy()
            served.allocate(entry, device)
            yield served


def _housekept(before: State, home: Household) -> Facts:
    """Return the facts after housekeeping: waiting users are served, deleted ones erased."""
    state = before.copy()
    for device in home.devices:
        if entry := next(state.waiting(device), None):
            state.allocate(entry, device)
    facts = state.facts
    for user in home.users:
        if state.user(user)[0] != "deleted":
            continue
        facts.pop(("failures", user), None)
        facts["erased", user] = True
        for fact in [fact for fact in facts if fact[:2] == ("delivery", user)]:
            facts[*fact[:-1], "skipped"] = facts.pop(fact)
    held = {value[1] for fact, value in facts.items() if fact[0] == "holds"}
    for fact in [fact for fact in facts if fact[0] == "device"]:
        facts[fact] = ("allocated" if fact[1] in held else "available", *facts[fact])
    for fact in [fact for fact in facts if fact[0] == "mark"]:
        facts[fact] = _stored(facts[fact])
    return {
        fact: value
        for fact, value in facts.items()
        if fact[0] not in _HIDDEN and (value or fact[0] not in EFFECTS)
    }


def _stored(mark: Mark) -> Mark:
    """Return a mark as it is stored: a second time is needed only besides a version."""
    return mark if mark.version is not None else mark._replace(without=None)


def _ensure_exists(state: State, event: DrillEvent) -> None:
    if event.event_type.startswith("device"):
        state.facts.setdefault(("device", event.subject), state.device(event.subject))
    else:
        state.facts.setdefault(("user", event.subject), state.user(event.subject))


def _rules(
    state: State, event: DrillEvent, left: Iterable[DrillEvent]
) -> list[Callable[[State, DrillEvent], None]]:
    """Return what an event may do: one thing, except for failed payments."""
    if event.event_type == "billing.payment_failed":
        return payments.rules_of_failure(state, event, left)
    return [_RULES[event.event_type]]


def _device_failed(state: State, event: DrillEvent) -> None:
    _break(state, event, "failed", "device_failed")


def _device_deleted(state: State, event: DrillEvent) -> None:
    state.keep_newer_report(event)
    _break(state, event, "deleted", "device_deleted")


def _maintained(state: State, event: DrillEvent) -> None:
    _break(state, event, "maintenance", "device_maintenance")


def _status_changed(state: State, event: DrillEvent) -> None:
    if event.fields["newStatus"] == "running":
        state.set_health(event.subject, "running")
    else:
        _break(state, event, event.fields["newStatus"], "device_status_changed")


def _break(state: State, event: DrillEvent, health: str, code: str) -> None:
    state.set_health(event.subject, health)
    state.release(state.held(device=event.subject), code, event)


def _created(state: State, event: DrillEvent) -> None:
    health, cores = state.device(event.subject)
    if not state.is_older(event, "health"):
        early = None
        if health == "deleted":
            early = state.early_report(event)
            state.forget_versions(event.subject)
        health = "running"
        if early:
            health = early.health
            state.advance_health(event.subject, early)
    state.set_health(event.subject, health, event.fields.get("cpuCores", cores))


def _suspended(state: State, event: DrillEvent) -> None:
    state.set_user(event.subject, status="suspended")
    state.release(state.held(user=event.subject), "user_suspended", event)
    state.notify(event.subject, "account_suspended", named(event))


def _deleted(state: State, event: DrillEvent) -> None:
    state.set_user(event.subject, status="deleted")
    state.release(state.held(user=event.subject), "user_deleted", event)


def _activated(state: State, event: DrillEvent) -> None:
    state.set_user(event.subject, status="active")


def _quota_updated(state: State, event: DrillEvent) -> None:
    most = event.fields["newQuota"]["maxDevices"]
    state.set_user(event.subject, quota=most)
    _release_surplus(state, event, most, "updated")


def _quota_exceeded(state: State, event: DrillEvent) -> None:
    _release_surplus(state, event, event.fields["limit"], "exceeded")


def _release_surplus(state: State, event: DrillEvent, most: int, change: str) -> None:
    held = state.held(user=event.subject)
    if surplus := held[: max(0, len(held) - most)]:
        state.release(surplus, f"quota_{change}", event)
        state.notify(event.subject, f"quota_adjusted.{change}", named(event))


def _balance_low(state: State, event: DrillEvent) -> None:
    state.notify(event.subject, "billing_alert.balance_low", named(event))


_RULES: Final[dict[str, Callable[[State, DrillEvent], None]]] = {
    "device.failed": _device_failed,
    "device.deleted": _device_deleted,
    "device.status_changed": _status_changed,
    "device.maintenance": _maintained,
    "device.created": _created,
    "user.deleted": _deleted,
    "user.suspended": _suspended,
    "user.quota_updated": _quota_updated,
    "user.quota_exceeded": _quota_exceeded,
    "user.activated": _activated,
    "billing.balance_low": _balance_low,
    "billing.overdue": payments.overdue,
    "billing.payment_success": payments.credited,
    "billing.recharged": payments.credited,
}
