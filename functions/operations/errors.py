"""Errors that commands report to the operator, and their exit codes."""

from __future__ import annotations

from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class ExitCode(IntEnum):
    """Exit codes of all commands."""

    FAILED = 1
    """The command failed, for example because the broker cannot be reached."""
    USAGE = 2
    """The command line or the input is invalid; nothing was done."""


class OpsError(Exception):
    """An error for the operator; the message names the fix.

    Attributes:
        code: the exit code of the command.
        tells_progress: whether the message says what was done before the error.
    """

    def __init__(
        self,
        message: str,
        code: ExitCode = ExitCode.FAILED,
        *,
        tells_progress: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.tells_progress = tells_progress


class InvalidInputError(OpsError):
    """The operator's input is invalid; nothing was done."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.USAGE)


@contextmanager
def with_progress_in_errors(progress: Callable[[], str], at_once: str = "") -> Iterator[None]:
    """Add the progress so far, if any, to an `OpsError`; turn Ctrl-C into an `OpsError`.

    ``at_once`` is the text if Ctrl-C comes before any progress is known. The message of an error
    that already tells the progress is not changed.
    """
    try:
        yield
    except OpsError as error:
        if error.tells_progress or not progress():
            raise
        text = f"{error} ({progress()})"
        raise OpsError(text, error.code, tells_progress=True) from error
    except KeyboardInterrupt:
        said = progress() or at_once
        text = f"stopped ({said})" if said else "stopped"
        raise OpsError(text, tells_progress=bool(progress())) from None
