"""The operations that read, replay and discard dead letters."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from operations import broker as brokers
from operations.dead_letters.arguments import MAX_COPIES
from operations.dead_letters.copies import to_copy
from operations.dead_letters.describe import describe
from operations.dead_letters.groups import LetterGroup, grouped
from operations.dead_letters.reading import (
    all_letters,
    counts,
    of_copies,
    opened,
    require_complete,
    within_result,
)
from operations.dead_letters.replay import ReplayResult, refusal_of, replay_letters
from operations.dead_letters.selection import Filter
from operations.dead_letters.takeovers import RELEASING_QUEUES, describe_takeovers, old_release
from operations.errors import with_progress_in_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from operations.context import OperationContext
    from operations.dead_letters.arguments import (
        CheckArguments,
        DiscardArguments,
        ListArguments,
        ReplayArguments,
        RestoreArguments,
        ShowArguments,
    )
    from operations.dead_letters.queue import TakenLetter
    from operations.dead_letters.takeovers import OldRelease

_MAX_GROUPS: Final = 500


def list_groups(context: OperationContext, arguments: ListArguments) -> dict[str, Any]:
    """Return the letters grouped by queue and error, the largest group first.

    With ``samples``, each group has its first letters as well, and the ``cause`` to select them.
    """
    chosen = Filter(arguments.selection)
    with opened(context) as queue:
        letters = (one.letter for one in chosen.apply(queue.letters()))
        groups = grouped(letters, arguments.samples)
    chosen.require_known_queues()
    to_json = LetterGroup.to_json_with_samples if arguments.samples else LetterGroup.to_json
    return counts(chosen, queue, context) | {
        "groups": [to_json(group) for group in groups[:_MAX_GROUPS]],
        "groupsLeftOff": max(0, len(groups) - _MAX_GROUPS),
    }


def show(context: OperationContext, arguments: ShowArguments) -> dict[str, Any]:
    """Return letters with error, headers and body, the oldest first.

    ``fingerprints`` identify them for editing; ``limited`` tells that there may be more.
    """
    chosen = Filter(arguments.selection)
    with opened(context) as queue:
        wanted = islice(chosen.apply(queue.letters()), arguments.limit)
        found = [one.letter for one in within_result(wanted)]
    if not found:
        chosen.require_known_queues()
    return counts(chosen, queue, context) | {
        "letters": [describe(letter) for letter in found],
        "fingerprints": [letter.fingerprint.hex() for letter in found],
        "limited": len(found) < chosen.matched or len(found) == arguments.limit,
    }


def check(context: OperationContext, arguments: CheckArguments) -> dict[str, Any]:
    """Return the old letters that would take a device from a user who got it after the event."""
    selection = arguments.selection
    releases: list[OldRelease] = []
    if not selection.queues or not selection.queues.isdisjoint(RELEASING_QUEUES):
        with all_letters(context, arguments.letters) as letters:
            releases.extend(
                release
                for one in letters
                if selection.matches(one.letter)
                and not refusal_of(one.letter, force=arguments.force)
                and (release := old_release(one.letter, context.now))
            )
    return describe_takeovers(context, releases)


def replay(context: OperationContext, arguments: ReplayArguments) -> dict[str, Any]:
    """Move letters back to their work queues, in order, for the time of a call.

    Letters that failed after the first call wait for another run. Each call replays at least one
    letter, so that continuing comes to an end.
    """
    until = arguments.until or context.now
    chosen = Filter(arguments.selection.limited_to(until))
    result, in_time = ReplayResult(arguments.replayed), True

    def while_in_time(letters: Iterable[TakenLetter]) -> Iterator[TakenLetter]:
        nonlocal in_time
        for one in letters:
            if context.deadline.passed and result.replayed > arguments.replayed:
                in_time = False
                return
            yield one

    with (
        with_progress_in_errors(lambda: _progress(result)),
        opened(context) as queue,
        context.connected() as connection,
    ):
        publish = partial(brokers.publish_confirmed, brokers.confirming_channel(connection))
        letters = chosen.apply(while_in_time(queue.letters()))
        replay_letters(letters, publish, result, force=arguments.force)
        if result.replayed == arguments.replayed:
            require_complete(queue)
    ended = in_time and not queue.out_of_time
    if ended:
        chosen.require_known_queues()
    total = queue.count if arguments.total is None else arguments.total
    following = {"until": until.isoformat(), "replayed": result.replayed, "total": total}
    return counts(chosen, queue, context) | {
        "total": total,
        "matched": result.replayed + result.refused.total(),
        "replayed": result.replayed,
        "refused": refusals(result),
        "next": None if ended else following,
    }


def restore(context: OperationContext, arguments: RestoreArguments) -> dict[str, Any]:
    """Publish copies of letters to their work queues."""
    chosen, result = Filter(arguments.selection), ReplayResult(arguments.replayed)
    letters = of_copies(arguments.letters)
    with with_progress_in_errors(lambda: _progress(result)), context.connected() as connection:
        publish = partial(brokers.publish_confirmed, brokers.confirming_channel(connection))
        replay_letters(chosen.apply(letters), publish, result, force=arguments.force)
    return {
        "total": chosen.total,
        "matched": chosen.matched,
        "sources": dict(chosen.sources),
        "replayed": result.replayed,
        "refused": refusals(result),
    }


def discard(context: OperationContext, arguments: DiscardArguments) -> dict[str, Any]:
    """Remove letters that the caller has stored, and return the next ones to store.

    A letter is removed by its fingerprint, so one that has failed again since is kept. The caller
    goes on until no letter is returned.
    """
    chosen = Filter(arguments.selection.limited_to(arguments.until))
    removed = 0

    def others(letters: Iterable[TakenLetter]) -> Iterator[TakenLetter]:
        nonlocal removed
        for one in letters:
            if one.letter.fingerprint.hex() in arguments.remove:
                one.remove()
                removed += 1
            else:
                yield one

    with opened(context) as queue:
        pending = others(chosen.apply(queue.letters()))
        page = [one.letter for one in within_result(islice(pending, MAX_COPIES))]
        for _ in pending:  # some to remove may be behind the page
            pass
        if not page and not removed:
            require_complete(queue)
    chosen.require_known_queues()
    return counts(chosen, queue, context) | {
        "discarded": removed,
        "letters": [to_copy(letter) for letter in page],
        "fingerprints": [letter.fingerprint.hex() for letter in page],
    }


def refusals(result: ReplayResult) -> list[dict[str, Any]]:
    """Return why letters were not replayed, the most frequent reason first."""
    return [{"reason": why, "count": count} for why, count in result.refused.most_common()]


def _progress(result: ReplayResult) -> str:
    count = result.replayed
    return f"{count} replayed before; nothing is lost, run the command again" if count else ""
