"""How commands end when they cannot do what was asked."""

from __future__ import annotations

from enum import IntEnum


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
