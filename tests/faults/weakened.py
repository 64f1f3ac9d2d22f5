"""Weakened parts of the function, for the negative controls: each must be reported by the drill."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pika

from scheduler.domain import state
from scheduler.messaging.link import CONNECTION_ERRORS, send
from scheduler.messaging.outbound import BrokerUnavailableError
from scheduler.messaging.publisher import parameters
from tests.faults.crashing import CrashingPublisher, StepCursor
from tests.faults.drill_plan import Weakness

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scheduler.database.cursor import PendingResult
    from scheduler.messaging.outbound import OutboundMessage

_MEETING_SECONDS: Final = 5.0
_POLL_SECONDS: Final = 0.05


class ForgetfulCursor(StepCursor):
    """Does not store which messages were processed."""

    def executemany(self, query: str, rows: Sequence[tuple[Any, ...]]) -> int:
        if "INSERT INTO processed_messages" in query:
            return 0
        if "INSERT INTO notifications" in query:
            # Otherwise the dedupe key (the seventh column) would catch some duplicates.
            rows = [(*row[:6], f"{row[6]}:{row[0]}", *row[7:]) for row in rows]
        return super().executemany(query, rows)


class LocklessCursor(StepCursor):
    """Locks no row that it reads, and writes when another transaction is about to write too."""

    def send_query(self, query: str, args: tuple[object, ...]) -> PendingResult:
        return super().send_query(query.replace("FOR UPDATE", ""), args)

    def executemany(self, query: str, rows: Sequence[tuple[Any, ...]]) -> int:
        if "INSERT INTO processed_messages" in query:
            _meet_another(Path(os.environ["FAULTS_FOLDER"]) / "meetings")
        return super().executemany(query, rows)


def _meet_another(folder: Path) -> None:
    """Return when another process is here, or after a while."""
    folder.mkdir(exist_ok=True)
    mine = folder / str(os.getpid())
    mine.touch()
    deadline = time.monotonic() + _MEETING_SECONDS
    while len(list(folder.iterdir())) == 1 and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)  # a directory does not tell who comes
    time.sleep(2 * _POLL_SECONDS)  # the other one has seen us too
    mine.unlink()


class UnconfirmedPublisher(CrashingPublisher):
    """Takes a message that was sent for one that has arrived."""

    _channel: Any = None

    def publish(self, messages: Iterable[OutboundMessage]) -> None:
        for message in messages:
            try:
                send(self._open(), message, mandatory=False)
            except CONNECTION_ERRORS as error:
                self._channel = None
                raise BrokerUnavailableError(str(error)) from error

    def _open(self) -> Any:  # noqa: ANN401 - pika's type
        if self._channel is None:
            self._channel = pika.BlockingConnection(parameters(self._settings)).channel()
        return self._channel


def weakened(weakness: Weakness) -> tuple[type[StepCursor], type[CrashingPublisher]]:
    """Return cursor and publisher of a function with a weakness; others change this process."""
    if weakness is Weakness.GUARD:
        vars(state)["is_outdated"] = lambda *_: False
    cursors = {Weakness.PROCESSED_IDS: ForgetfulCursor, Weakness.LOCKS: LocklessCursor}
    publishers = {Weakness.CONFIRMS: UnconfirmedPublisher}
    return cursors.get(weakness, StepCursor), publishers.get(weakness, CrashingPublisher)
