"""Measures what operators do with many dead letters, through the function of a stack.

    python -m bench.letters [--letters 100000] [--replayed 2000]

The operations function runs behind the local function URL, with signed requests. All letters are
listed, checked and discarded; some are replayed, as each waits for the broker's confirm. For each
the time, the number of calls and the slowest call are printed.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.console import publish_letters
from bench.machine import watched
from bench.testbed import running_testbed
from local.environment import aws_environment
from local.operations import STACK, start_operations
from local.ports import free_port
from ops.backup import Backup
from ops.function_url import FunctionUrlOperations
from ops.interface import calls
from ops.long_queue import discard, read_groups

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(slots=True)
class _Timed:
    """Operations whose calls are counted and timed."""

    operations: FunctionUrlOperations
    place: str = "bench"
    count: int = 0
    slowest: float = 0.0

    def call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        began = time.perf_counter()
        result = self.operations.call(operation, arguments)
        self.count, self.slowest = self.count + 1, max(self.slowest, time.perf_counter() - began)
        return result


def main(
    letters: Annotated[int, typer.Option(help="Dead letters.")] = 100_000,
    replayed: Annotated[int, typer.Option(help="How many are replayed.")] = 2_000,
) -> None:
    """Measure and print."""
    with watched(), running_testbed() as testbed:
        publish_letters(testbed, letters)
        server = start_operations(free_port(), testbed.environment, testbed.folder)
        endpoint = server.endpoint()
        os.environ |= aws_environment(testbed.aws_url) | {
            "AWS_ACCESS_KEY_ID": endpoint["accessKeyId"],
            "AWS_SECRET_ACCESS_KEY": endpoint["secretAccessKey"],
        }
        stack = FunctionUrlOperations.of_stack(STACK)
        with Backup(testbed.folder / "copies.jsonl") as backup:
            chosen = {"until": datetime.now(UTC).isoformat()}
            _measure(stack, "list", lambda timed: read_groups(timed, {})["total"])
            _measure(stack, "check", lambda timed: _sum(timed, "dead-letters.check", "read"))
            _measure(stack, "replay", lambda timed: _replay(timed, replayed))
            _measure(stack, "discard", lambda timed: list(discard(timed, chosen, backup))[-1][1])
        server.stop()


def _measure(stack: FunctionUrlOperations, name: str, work: Callable[[_Timed], int]) -> None:
    timed, began = _Timed(stack), time.perf_counter()
    count = work(timed)
    seconds = time.perf_counter() - began
    print(
        f"{name:<8} {count:>8,} letters in {seconds:6.1f} s, {count / seconds:,.0f} a second;"
        f" {timed.count} calls, the slowest {timed.slowest:.1f} s",
        flush=True,
    )


def _sum(operations: _Timed, operation: str, name: str) -> int:
    return sum(part[name] for part in calls(operations, operation, {}))


def _replay(operations: _Timed, wanted: int) -> int:
    for part in calls(operations, "dead-letters.replay", {}):
        if part["replayed"] >= wanted:
            break
    return int(part["replayed"])


if __name__ == "__main__":
    typer.run(main)
