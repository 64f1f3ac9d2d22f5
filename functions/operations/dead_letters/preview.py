"""Returns what replaying letters would change now: their rules run, and nothing is written.

A letter's rule runs on the rows that it would lock, in a transaction that is rolled back. Each
letter is judged alone, as if it were replayed first.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from operations.context import CALL_SECONDS
from operations.dead_letters.reading import all_letters
from operations.dead_letters.replay import (
    ReplayResult,
    addressed,
    copy_for_work_queue,
    refusal_of,
)
from operations.dead_letters.selection import Filter
from operations.dead_letters.takeovers import sent_at
from operations.errors import OpsError
from scheduler.database import load
from scheduler.deadline import Deadline
from scheduler.domain.guard import Aggregate
from scheduler.domain.model import Quota
from scheduler.domain.work import Work
from scheduler.messaging.body import InvalidBodyError
from scheduler.messaging.message import Message
from scheduler.messaging.validate import parse
from scheduler.pipeline.decide import decide
from scheduler.pipeline.outcome import Verdict

if TYPE_CHECKING:
    from operations.context import OperationContext
    from operations.dead_letters.arguments import PreviewArguments
    from operations.dead_letters.letter import DeadLetter
    from scheduler.database.cursor import BulkCursor
    from scheduler.messaging.validate import Parsed
    from scheduler.pipeline.event_rules import Handling

_UNUSED_THRESHOLD: Final = 3
"""Rules that depend on the number of failed payments do not run."""
_MAX_CHANGES: Final = 20


def preview(context: OperationContext, arguments: PreviewArguments) -> dict[str, Any]:
    """Return how many letters `replay` would replay, and what the first of them would change.

    ``unknown`` gives the reason if the database cannot be asked.
    """
    chosen = Filter(arguments.selection, arguments.to_find)
    result, target = ReplayResult(), arguments.target
    replayable: list[DeadLetter] = []
    with all_letters(context, arguments) as reading:
        for one in chosen.apply(reading.letters()):
            letter = addressed(one.letter, target)
            if refusal := refusal_of(letter, force=arguments.force):
                result.refused[refusal] += 1
            else:
                result.replayed += 1
                if len(replayable) < arguments.limit:
                    replayable.append(letter)
    following, effects = reading.following(), _effects(context, replayable)
    if following:
        following["limit"] = arguments.limit - len(effects["letters"])
    chosen.require_known_queues(following)
    return {
        "at": context.now.isoformat(),
        "total": chosen.total,
        "matched": chosen.matched,
        "sources": dict(chosen.sources),
        "replayed": result.replayed,
        "refused": [{"reason": why, "count": n} for why, n in result.refused.most_common()],
        "next": following,
        **effects,
    }


def _effects(context: OperationContext, letters: list[DeadLetter]) -> dict[str, Any]:
    effects: list[dict[str, Any]] = []
    enough = Deadline(min(time.monotonic() + CALL_SECONDS, context.last_moment.at))
    try:
        for letter in letters:
            if enough.passed:
                break
            effects.append(_effect(context, letter))
    except OpsError as error:
        return {"letters": [], "unknown": str(error)}
    return {"letters": effects, "unknown": ""}


def _effect(context: OperationContext, letter: DeadLetter) -> dict[str, Any]:
    handling = _handling(letter.source_queue)
    about = {"id": letter.id, "queue": letter.source_queue}
    copy = copy_for_work_queue(letter)
    message = Message(letter.source_queue, copy.body, copy.properties, sent_at(letter))
    try:
        parsed = parse(message, handling.contract, context.now)
    except InvalidBodyError as error:
        return about | {"outcome": Verdict.INVALID.value, "error": str(error), "changes": []}
    if parsed.event.payment:
        return about | {
            "outcome": "counted",
            "error": "",
            "changes": ["counts towards the user's failed payments, which are not looked up here"],
        }
    return about | _decided(context, parsed, handling)


def _decided(context: OperationContext, parsed: Parsed, handling: Handling) -> dict[str, Any]:
    with context.transaction() as cursor:
        work, processed = _loaded(context, cursor, parsed)
        try:
            (outcome,) = decide([parsed], work, handling, processed)
        finally:
            cursor.connection.rollback()
    return {
        "outcome": outcome.verdict.value,
        "error": outcome.error,
        "changes": _changes(work)[:_MAX_CHANGES],
    }


def _loaded(
    context: OperationContext, cursor: BulkCursor, parsed: Parsed
) -> tuple[Work, dict[str, bytes]]:
    event = parsed.event
    by_user = event.aggregate is Aggregate.USER
    users, devices = ([event.subject_id], []) if by_user else ([], [event.subject_id])
    rows = load.query_processed(cursor, parsed.message.queue, [parsed.identity.id]).rows()
    snapshot = load.lock_snapshot(cursor, users, devices)
    work = Work(snapshot, context.now, Quota(context.default_max_devices))
    return work, dict(rows)


def _changes(work: Work) -> list[str]:
    """Return a sentence for each change that a person would ask about."""
    releases = (
        f"releases {one.allocation.device_id} of {one.allocation.user_id}: {one.reason.code}"
        for one in work.releases.values()
    )
    users = (f"sets user {id_} to {work.user(id_).status.value}" for id_ in work.changed_users)
    devices = (
        f"sets device {id_} to {work.device(id_).health.value}, {work.device(id_).status.value}"
        for id_ in work.changed_devices
    )
    notices = (f"notifies {one.user_id}: {one.kind.key}" for one in work.notices.values())
    erased = (f"erases user {id_}" for id_ in work.erased_users)
    return [*releases, *users, *devices, *notices, *erased]


def _handling(queue: str) -> Handling:
    """Return contract and rule; imported here, because nothing else needs all of them."""
    from billing_events.rules import billing_rules  # noqa: PLC0415 - see above
    from device_events.rules import events as device_rules  # noqa: PLC0415 - see above
    from user_events.rules import events as user_rules  # noqa: PLC0415 - see above

    for rules in (device_rules, user_rules, billing_rules(_UNUSED_THRESHOLD)):
        if handling := rules.of_queue(queue):
            return handling
    raise OpsError(f"no rule for queue {queue}")
