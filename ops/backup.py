"""Backup files of discarded letters: a JSON object per line (`operations.dead_letters.copies`)."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Self

from operations.dead_letters.copies import from_copy
from operations.errors import InvalidInputError, OpsError
from scheduler.json_text import safe_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType


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

    def write(self, copies: Iterable[dict[str, Any]]) -> None:
        """Write copies of letters and return when they are on the disk.

        Raises:
            InvalidInputError: the file exists.
            OpsError: the file cannot be written.
        """
        lines = "".join(f"{safe_json(one)}\n" for one in copies)
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


def read_backup(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the copies of letters in a file that `Backup` wrote.

    An incomplete last line is skipped: the command was killed, and the letter is still in the
    queue. An editor may have removed the line break at the end of a complete one.

    Raises:
        InvalidInputError: the file cannot be read, has another format, has no complete line or was
            edited; the message names the line.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n") or _is_json(line):
                    yield _letter(line, f"{path}, line {number}")
                elif number == 1:
                    raise InvalidInputError(
                        f"{path} has no complete letter; use a file that discard has written, or"
                        " see dead-letters list"
                    )
    except OSError as error:
        raise InvalidInputError(f"cannot read {path}: {error.strerror}") from None


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _letter(line: bytes, where: str) -> dict[str, Any]:
    try:
        copy = json.loads(line)
    except ValueError as error:
        raise InvalidInputError(
            f"{where} is not a dead letter ({error!r}); use a file that discard has written"
        ) from None
    from_copy(copy if isinstance(copy, dict) else {}, where)
    return dict(copy)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
