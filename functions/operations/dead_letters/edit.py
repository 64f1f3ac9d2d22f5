"""Replays a letter with another body, under a new id."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from operations import broker as brokers
from operations.dead_letters.actions import written_notes
from operations.dead_letters.reading import opened, require_complete
from operations.dead_letters.replay import copy_for_work_queue
from operations.dead_letters.takeovers import describe_takeovers, old_release
from operations.errors import InvalidInputError, OpsError
from operations.event_bodies import refuse_unknown_fields, validate
from operations.publishing import shard_key
from scheduler.database.letter_actions import OperatorAction
from scheduler.messaging.message import IDENTITY_HEADER, UNCLAIMED_BATCH_HEADER
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME

if TYPE_CHECKING:
    from operations.context import OperationContext
    from operations.dead_letters.arguments import CheckEditArguments, EditArguments
    from operations.dead_letters.letter import DeadLetter
    from operations.dead_letters.queue import DeadLetterQueue, TakenLetter
    from scheduler.messaging.outbound import OutboundMessage

EDITED_FROM_HEADER: Final = "x-edited-from"
"""The id of the letter from which an operator made a message."""
_OF_OLD_BODY: Final = {IDENTITY_HEADER, UNCLAIMED_BATCH_HEADER}
"""They tell which message with the old body it is."""


def edit(context: OperationContext, arguments: EditArguments) -> dict[str, Any]:
    """Publish a letter with a new body and a new id, then remove it.

    Published twice, after a kill, the copies have the same new id if the caller repeats the call.

    Raises:
        InvalidInputError: the body is invalid; nothing was replayed.
        OpsError: the letter is no longer there, or cannot be replayed.
    """
    with (
        written_notes(context) as notes,
        opened(context) as queue,
        context.connected() as connection,
    ):
        found = _find(queue, arguments.fingerprint)
        message = _edited(context, found.letter, arguments)
        with notes.noting(found.letter, OperatorAction.EDITED, arguments.new_id):
            brokers.publish_confirmed(brokers.confirming_channel(connection), message)
            found.remove()
    return {
        "id": found.letter.id,
        "newId": arguments.new_id,
        "queue": found.letter.source_queue,
        "notNoted": notes.problem,
    }


def check_edit(context: OperationContext, arguments: CheckEditArguments) -> dict[str, Any]:
    """Return whether a letter would, with its new body, take a device from a later holder.

    Raises:
        OpsError: the letter is no longer there.
    """
    with opened(context) as queue:
        letter = _find(queue, arguments.fingerprint).letter
    release = old_release(replace(letter, body=arguments.body), context.now)
    return describe_takeovers(context, [release] if release else [])


def _find(queue: DeadLetterQueue, fingerprint: str) -> TakenLetter:
    for one in queue.letters():
        if one.letter.fingerprint.hex() == fingerprint:
            return one
    require_complete(queue)
    raise OpsError("the letter is no longer there, or has failed again; nothing was replayed")


def _edited(
    context: OperationContext, letter: DeadLetter, arguments: EditArguments
) -> OutboundMessage:
    work_queue = WORK_QUEUE_BY_NAME.get(letter.source_queue)
    if work_queue is None:
        raise InvalidInputError(
            f"{letter.source_queue} is not a work queue; nothing was replayed. Replay the letter to"
            " the queue of an event (dead-letters replay --to): if it fails again, edit it then"
        )
    body = arguments.body
    validate(work_queue.event_type, body, context.now)
    if not arguments.allow_unknown:
        refuse_unknown_fields(work_queue.event_type, body, context.now)
    copy = copy_for_work_queue(letter)
    headers = {
        name: value
        for name, value in copy.properties["headers"].items()
        if name not in _OF_OLD_BODY
    }
    headers |= shard_key(work_queue.event_type, body).get("headers", {})
    headers[EDITED_FROM_HEADER] = letter.id
    properties = {**copy.properties, "message_id": arguments.new_id, "headers": headers}
    return replace(copy, body=body, properties=properties)
