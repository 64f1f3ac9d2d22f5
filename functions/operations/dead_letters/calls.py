"""The operations that read, replay and discard dead letters."""

from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from operations import broker as brokers
from operations.dead_letters.actions import written_notes
from operations.dead_letters.arguments import MAX_REASONS
from operations.dead_letters.discarding import COPIED_BLOCK, page_of, remove_letters
from operations.dead_letters.groups import LetterGroup, grouped
from operations.dead_letters.queue import SMALL_BLOCK
from operations.dead_letters.reading import (
    all_letters,
    counts,
    of_copies,
    opened,
    passing,
    within_result,
)
from operations.dead_letters.replay import ReplayResult, addressed, refusal_of, replay_letters
from operations.dead_letters.selection import Filter, require_work_queues
from operations.dead_letters.takeovers import RELEASING_QUEUES, describe_takeovers, old_release
from operations.errors import with_progress_in_errors

if TYPE_CHECKING:
    from operations.context import OperationContext
    from operations.dead_letters.arguments import (
        CheckArguments,
        DiscardArguments,
        ListArguments,
        ReplayArguments,
        RestoreArguments,
        ShowArguments,
    )
    from operations.dead_letters.passes import Pass
    from operations.dead_letters.takeovers import OldRelease

_MAX_GROUPS: Final = 500


def list_groups(context: OperationContext, arguments: ListArguments) -> dict[str, Any]:
    """Return the letters grouped by queue and error, the largest group first.

    Letters are selected by the ``cause`` of their group. With ``samples``, each group has its first
    letters as well.
    """
    chosen = Filter(arguments.selection, arguments.to_find)
    with passing(context, arguments.position) as reading:
        letters = (one.letter for one in chosen.apply(reading.letters()))
        groups = grouped(letters, arguments.samples)
    to_json = LetterGroup.to_json_with_samples if arguments.samples else LetterGroup.to_json
    return _result(chosen, reading, context) | {
        "groups": [to_json(group) for group in groups[:_MAX_GROUPS]],
        "groupsLeftOff": max(0, len(groups) - _MAX_GROUPS),
    }


def show(context: OperationContext, arguments: ShowArguments) -> dict[str, Any]:
    """Return letters with error, headers and body, the oldest first, until some are found.

    ``fingerprints`` identify them for editing; ``limited`` tells that there may be more.
    """
    chosen = Filter(arguments.selection, arguments.to_find)
    with passing(context, arguments.position) as reading:
        wanted = islice(chosen.apply(reading.letters()), arguments.limit)
        found = list(within_result(wanted))
    result = _result(chosen, reading, context)
    has_all = result["complete"] and len(found) == chosen.matched
    if found:
        stopped = len(found) == arguments.limit or len(found) < chosen.matched
        result |= {"next": None, "complete": result["complete"] or stopped}
    return result | {
        "letters": [about for _, about in found],
        "fingerprints": [letter.fingerprint.hex() for letter, _ in found],
        "limited": bool(found) and not has_all,
    }


def check(context: OperationContext, arguments: CheckArguments) -> dict[str, Any]:
    """Return the old letters that would take a device from a user who got it after the event."""
    selection = arguments.selection
    releases: list[OldRelease] = []
    following, read = None, 0
    target = arguments.target
    queues = selection.queues | ({target} if target else set())
    if not selection.queues or not queues.isdisjoint(RELEASING_QUEUES):
        with all_letters(context, arguments) as reading:
            releases.extend(
                release
                for one in reading.letters()
                if selection.matches(one.letter)
                and (letter := addressed(one.letter, target))
                and not refusal_of(letter, force=arguments.force)
                and (release := old_release(letter, context.now))
            )
        following, read = reading.following(), reading.seen
    return describe_takeovers(context, releases) | {"read": read, "next": following}


def replay(context: OperationContext, arguments: ReplayArguments) -> dict[str, Any]:
    """Move letters back to their work queues, in order, for the time of a call.

    Letters that failed after the first call wait for another run. Each call processes at least one
    letter, so that a continued replay ends.
    """
    until, target = arguments.until or context.now, arguments.target
    require_work_queues(arguments.selection, target)
    chosen = Filter(arguments.selection.limited_to(until), arguments.to_find)
    result = ReplayResult(arguments.replayed, Counter(arguments.refused))
    with (
        with_progress_in_errors(lambda: _progress(result)),
        written_notes(context) as notes,
        passing(context, arguments.position, SMALL_BLOCK) as reading,
        context.connected() as connection,
    ):
        publish = partial(brokers.publish_confirmed, brokers.confirming_channel(connection))
        letters = chosen.apply(reading.letters())
        replay_letters(letters, publish, result, notes, force=arguments.force, to=target)
    counted = _result(chosen, reading, context)
    total = reading.total if arguments.total is None else arguments.total
    if following := counted["next"]:
        following |= {
            "until": until.isoformat(),
            "replayed": result.replayed,
            "refused": dict(result.refused.most_common(MAX_REASONS)),
            "total": total,
        }
    return counted | {
        "total": total,
        "matched": result.replayed + result.refused.total(),
        "replayed": result.replayed,
        "refused": refusals(result),
        "notNoted": notes.problem,
    }


def restore(context: OperationContext, arguments: RestoreArguments) -> dict[str, Any]:
    """Publish copies of letters to their work queues."""
    chosen, result = Filter(arguments.selection), ReplayResult(arguments.replayed)
    letters, target = of_copies(arguments.letters), arguments.target
    require_work_queues(chosen.selection, target)
    with (
        with_progress_in_errors(lambda: _progress(result)),
        written_notes(context) as notes,
        context.connected() as connection,
    ):
        publish = partial(brokers.publish_confirmed, brokers.confirming_channel(connection))
        chosen_letters = chosen.apply(letters)
        replay_letters(chosen_letters, publish, result, notes, force=arguments.force, to=target)
    return {
        "total": chosen.total,
        "matched": chosen.matched,
        "sources": dict(chosen.sources),
        "replayed": result.replayed,
        "refused": refusals(result),
        "notNoted": notes.problem,
    }


def discard(context: OperationContext, arguments: DiscardArguments) -> dict[str, Any]:
    """Return letters to store or, with ``remove``, remove those that the caller has stored.

    A letter is removed by its fingerprint, so one that has failed again since is kept.
    """
    chosen = Filter(arguments.selection.limited_to(arguments.until), arguments.to_find)
    if arguments.remove:
        with written_notes(context) as notes, opened(context) as queue:
            remove_letters(queue, chosen, arguments.remove, notes)
            complete = not queue.out_of_time
        gone = {"discarded": queue.removed, "complete": complete, "notNoted": notes.problem}
        return gone | {"letters": [], "fingerprints": [], "next": None}
    with passing(context, arguments.position, COPIED_BLOCK) as reading:
        page = page_of(reading, chosen)
    return _result(chosen, reading, context) | {
        "discarded": 0,
        "letters": [copy for _, copy in page],
        "fingerprints": [letter.fingerprint.hex() for letter, _ in page],
    }


def _result(chosen: Filter, reading: Pass, context: OperationContext) -> dict[str, Any]:
    """Return the figures of a pass.

    Raises:
        InvalidInputError: all letters were read, and there is no such queue.
    """
    result = counts(chosen, reading, context)
    chosen.require_known_queues(result["next"])
    return result


def refusals(result: ReplayResult) -> list[dict[str, Any]]:
    """Return why letters were not replayed, the most frequent reason first."""
    return [{"reason": why, "count": count} for why, count in result.refused.most_common()]


def _progress(result: ReplayResult) -> str:
    count = result.replayed
    return f"{count} replayed before; nothing is lost, run the command again" if count else ""
