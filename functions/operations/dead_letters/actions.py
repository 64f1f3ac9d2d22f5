"""Records what a call does to each letter, for the timeline.

The notes are written when the call ends, also with an error. What a killed call has done is not
noted; its letters are gone, and the audit table has the call without an end.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pymysql

from operations.errors import OpsError
from scheduler.database import letter_actions
from scheduler.database.letter_actions import LetterAction, OperatorAction
from scheduler.messaging.subject import aggregate_of, named_subject
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operations.context import OperationContext
    from operations.dead_letters.letter import DeadLetter


class LetterNotes:
    """What a call has done to letters.

    Attributes:
        problem: why it could not be written; empty if it was.
    """

    def __init__(self) -> None:
        self._done: list[LetterAction] = []
        self.problem = ""

    @contextmanager
    def noting(
        self, letter: DeadLetter, action: OperatorAction, new_id: str | None = None
    ) -> Iterator[None]:
        """Note what a block does, if it succeeds, with the time before it.

        A replayed message may fail again before the call ends: that is later then.
        """
        at = datetime.now(UTC)
        yield
        queue = WORK_QUEUE_BY_NAME.get(letter.source_queue)
        if queue is None:
            return  # no timeline has messages of other queues
        subject = named_subject(queue, letter.body)
        about = (new_id, at, aggregate_of(queue), subject)
        self._done.append(LetterAction(queue.name, letter.stored_id, action, *about))

    def write(self, context: OperationContext) -> None:
        """Write the notes; `problem` tells why if that fails: the letters stay as they are."""
        if not self._done:
            return
        try:
            with context.transaction() as cursor:
                letter_actions.note(cursor, self._done, context.caller)
        except (OpsError, pymysql.MySQLError) as error:
            self.problem = str(error)


@contextmanager
def written_notes(context: OperationContext) -> Iterator[LetterNotes]:
    """Write what a block notes when it ends."""
    notes = LetterNotes()
    try:
        yield notes
    finally:
        notes.write(context)
