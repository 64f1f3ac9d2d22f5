"""The interface between the commands and the operations: names and plain data in, plain data out.

`ops.direct` runs the operations in this process; `ops.function_url` calls the function of a stack.
No command knows which. docs/operations-interface.md lists the operations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Operations(Protocol):
    """What operators see and change in one deployment."""

    @property
    def place(self) -> str:
        """Return the name of the deployment for messages, without passwords."""

    def call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Run an operation, which takes seconds at most, and return its result as JSON data.

        Raises:
            InvalidInputError: the arguments are invalid; nothing was done.
            OpsError: the operation failed, or the deployment cannot be reached; the message names
                the fix.
        """


def calls(
    operations: Operations, operation: str, arguments: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Call an operation until it has nothing left to do, and yield the result of each call.

    A result with ``next`` names the arguments with which the next call continues. The caller may
    stop after any of them.
    """
    following: Mapping[str, Any] | None = {}
    while following is not None:
        result = operations.call(operation, {**arguments, **following})
        yield result
        following = result.get("next")
