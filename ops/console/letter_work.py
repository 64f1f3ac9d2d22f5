"""Replays or discards the letters of a group for the page, however many there are.

A thread makes the calls, so that no request of the page takes long: the page asks how far the work
is, and may stop it between two calls. It goes on if the page is closed, and is shown when the page
is opened again.
"""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from pydantic.alias_generators import to_camel

from operations.errors import InvalidInputError, OpsError
from ops.backup import Backup
from ops.interface import calls
from ops.long_queue import discard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ops.console.letters import LetterGroups
    from ops.interface import Operations

DISCARD: Final = "dead-letters.discard"
_REPLAY: Final = "dead-letters.replay"


class Verb(StrEnum):
    """What is done to letters."""

    REPLAY = "replay"
    DISCARD = "discard"


class WorkState(StrEnum):
    """Whether work goes on, or how it ended."""

    NONE = "none"
    """Nothing was done yet."""
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far work is.

    Attributes:
        verb: what is done.
        expected: how many letters the operator saw.
        state: whether it goes on.
        ended_at: when it ended.
        error: why it failed.
        copied: how many letters are in the file.
        file: the copies of discarded letters; None if there are none.
        done: how many letters were replayed or discarded.
        left: how many letters were in the queue at least, when it was last looked at.
        refused: how many letters were not replayed, by reason.
        held: how many letters other programs hold.
        not_noted: why timelines do not tell it.
    """

    verb: Verb
    expected: int
    state: WorkState = WorkState.RUNNING
    ended_at: str | None = None
    error: str = ""
    copied: int = 0
    file: str | None = None
    done: int = 0
    left: int = 0
    refused: list[dict[str, Any]] = field(default_factory=list)
    held: int = 0
    not_noted: str = ""


class _StoppedError(Exception):
    """The operator has stopped the work before a call."""


@dataclass(frozen=True, slots=True)
class _UntilStopped:
    """Operations that make no call any more once the operator has stopped the work."""

    operations: Operations
    stop: threading.Event

    @property
    def place(self) -> str:
        return self.operations.place

    def call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if self.stop.is_set():
            raise _StoppedError
        return self.operations.call(operation, arguments)


class LetterWork:
    """One such work at a time, and the last one.

    Args:
        operations: where the letters are.
        groups: are not read meanwhile, because reading would miss some letters.
        folder: for the copies of discarded letters.
    """

    def __init__(self, operations: Operations, groups: LetterGroups, folder: Path) -> None:
        self._groups = groups
        self._folder = folder
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._operations = _UntilStopped(operations, self._stop)
        self._last = Progress(Verb.REPLAY, 0, WorkState.NONE)

    def begin(
        self, verb: Verb, selection: Mapping[str, Any], until: datetime, expected: int
    ) -> None:
        """Begin to replay or discard letters.

        Args:
            verb: what to do.
            selection: which letters.
            until: when the operator saw them; letters that failed later stay.
            expected: how many they were.

        Raises:
            InvalidInputError: the former work goes on.
        """
        with self._lock:
            self.require_none()
            self._stop.clear()
            self._last = Progress(verb, expected)
        chosen = {**selection, "until": until.isoformat()}
        # A daemon: at Ctrl-C it ends like a killed command, after which no letter is missing.
        threading.Thread(target=self._run, args=(verb, chosen), daemon=True).start()

    def stop(self) -> None:
        """Stop after the call that is under way."""
        self._stop.set()

    def progress(self) -> dict[str, Any]:
        """Return how far the last work is, as JSON data."""
        return {to_camel(name): value for name, value in asdict(self._last).items()}

    def require_none(self) -> None:
        """Raise an error while work goes on: whoever read letters meanwhile would miss some.

        Raises:
            InvalidInputError: says what is done.
        """
        if self._last.state is WorkState.RUNNING:
            raise InvalidInputError(
                f"the console is busy with a {self._last.verb} of dead letters; stop it, or wait"
                " until it has ended"
            )

    def whole_depth(self, ready: int) -> int:
        """Return how many letters there are, given how many are ready: a call takes some out."""
        last = self._last
        return max(ready, last.left) if last.state is WorkState.RUNNING else ready

    def _run(self, verb: Verb, chosen: Mapping[str, Any]) -> None:
        steps = self._replay if verb is Verb.REPLAY else self._discard
        try:
            self._groups.alone(lambda: self._take(steps(chosen)))
        except _StoppedError:
            self._note(state=WorkState.STOPPED)
        except OpsError as error:
            self._note(state=WorkState.FAILED, error=str(error))
        except Exception as error:
            self._note(state=WorkState.FAILED, error=f"{type(error).__name__}: {error}")
            raise
        else:
            self._note(state=WorkState.DONE)

    def _take(self, steps: Iterator[dict[str, Any]]) -> None:
        for reached in steps:
            self._note(**reached)

    def _note(self, **changes: Any) -> None:  # noqa: ANN401 - the attributes of Progress
        if changes.get("state"):
            changes["ended_at"] = datetime.now(UTC).isoformat()
        self._last = replace(self._last, **changes)

    def _replay(self, chosen: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        for found in calls(self._operations, _REPLAY, chosen):
            yield {
                "done": found["replayed"],
                "left": found["total"] - found["replayed"],
                "refused": found["refused"],
                "held": found["held"],
                "not_noted": found.get("notNoted", ""),
            }

    def _discard(self, chosen: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        path = self._folder / f"dead-letters-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.jsonl"
        with Backup(path) as backup:
            for reached in discard(self._operations, chosen, backup):
                yield {
                    "copied": reached.copied,
                    "file": str(path.resolve()) if reached.copied else None,
                    "done": reached.removed,
                    "left": reached.copied - reached.removed,
                    "not_noted": reached.not_noted,
                }
