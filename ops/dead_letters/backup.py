"""Discards letters after writing them to a backup file, one JSON object per line.

``raw`` contains the exact letter for `read_backup`; the other fields are for people and tools.
"""

from __future__ import annotations

import base64
import json
import os
import struct
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Self

from pika import BasicProperties
from pika.exceptions import AMQPError

from ops.dead_letters.describe import describe
from ops.dead_letters.letter import DeadLetter
from ops.errors import InvalidInputError, OpsError
from scheduler.observability.safe_json import safe_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

    from ops.dead_letters.queue import TakenLetter

_LETTERS_PER_SYNC: Final = 100
"""Letters that are written to the disk before they are removed together."""


class Backup:
    """A new file, readable by its owner only; the first letter creates it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            os.close(self._file)

    def write(self, letters: Iterable[DeadLetter]) -> None:
        """Write letters and return when they are on the disk.

        Raises:
            InvalidInputError: the file exists.
            OpsError: the file cannot be written.
        """
        lines = "".join(f"{safe_json(_line(one))}\n" for one in letters)
        try:
            if self._file is None:
                self._file = self._create()
            _write_all(self._file, lines.encode())
            os.fsync(self._file)
        except FileExistsError:
            raise InvalidInputError(f"{self.path} exists; choose another file") from None
        except OSError as error:
            raise OpsError(f"cannot write {self.path}: {error.strerror}") from error

    def _create(self) -> int:
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        folder = os.open(self.path.parent, os.O_RDONLY)
        os.fsync(folder)  # otherwise the file may be missing after a power failure
        os.close(folder)
        return file


def discard_letters(letters: Iterable[TakenLetter], backup: Backup) -> Iterator[int]:
    """Write letters to a backup, then remove them; yield how many were removed each time."""
    remaining = iter(letters)
    while batch := list(islice(remaining, _LETTERS_PER_SYNC)):
        backup.write(one.letter for one in batch)
        for one in batch:
            one.remove()
        yield len(batch)


def read_backup(path: Path) -> Iterator[DeadLetter]:
    """Yield the letters of a file that `Backup` wrote.

    An incomplete last line is skipped: the command was killed, and the letter is still in the
    queue.

    Raises:
        InvalidInputError: the file cannot be read or has another format; the message names the
            line.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    yield _letter(line, f"{path}, line {number}")
    except OSError as error:
        raise InvalidInputError(f"cannot read {path}: {error.strerror}") from None


def _line(letter: DeadLetter) -> dict[str, Any]:
    raw = {
        "routingKey": letter.routing_key,
        "properties": _base64(b"".join(letter.properties.encode())),
        "body": _base64(letter.body),
    }
    return {**describe(letter), "raw": raw}


def _letter(line: bytes, where: str) -> DeadLetter:
    try:
        raw = json.loads(line)["raw"]
        properties = BasicProperties()
        properties.decode(base64.b64decode(raw["properties"], validate=True))
        body = base64.b64decode(raw["body"], validate=True)
        return DeadLetter(str(raw["routingKey"]), properties, body)
    except (ValueError, KeyError, TypeError, struct.error, AMQPError) as error:
        raise InvalidInputError(
            f"{where} is not a dead letter ({error!r}); use a file that discard has written"
        ) from None


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
