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
    """An error for the operator; the message names the fix."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code


class InvalidInputError(OpsError):
    """The operator's input is invalid; nothing was done."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.USAGE)


@contextmanager
def with_progress_in_errors(progress: Callable[[], str]) -> Iterator[None]:
    """Add the progress so far, if any, to an `OpsError`; turn Ctrl-C into an `OpsError`."""
    try:
        yield
    except OpsError as error:
        raise OpsError(_with(progress(), str(error)), error.code) from error
    except KeyboardInterrupt:
        raise OpsError(_with(progress(), "stopped")) from None


def _with(progress: str, text: str) -> str:
    return f"{text} ({progress})" if progress else text
