"""How commands end when they cannot do what was asked."""

from __future__ import annotations

from contextlib import contextmanager
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class ExitCode(IntEnum):
    """Exit codes of all commands."""

    FAILED = 1
    """Not done: the broker is away, or did not take it."""
    USAGE = 2
    """Not tried: the command line or the input is wrong."""


class OpsError(Exception):
    """Something to tell the operator, in words that name the fix."""

    def __init__(self, message: str, code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.code = code


class InvalidInputError(OpsError):
    """What the operator gave is wrong; nothing was tried."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.USAGE)


@contextmanager
def telling_what_was_done(account: Callable[[], str]) -> Iterator[None]:
    """Add to an `OpsError`, and to what is said at Ctrl-C, what was done before, if anything."""
    try:
        yield
    except OpsError as error:
        raise OpsError(_with(account(), str(error)), error.code) from error
    except KeyboardInterrupt:
        raise OpsError(_with(account(), "stopped")) from None


def _with(done: str, text: str) -> str:
    return f"{text} ({done})" if done else text
