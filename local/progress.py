"""Shows the steps of starting and stopping, on a terminal and in a log."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType


class CancelledError(Exception):
    """The user asked to stop before everything was started."""


class ProgressDisplay:
    """Prints a line per finished step and, on a terminal, shows the running steps below.

    Steps may run at the same time in several threads.

    Attributes:
        cancelled: once set, no further step starts, except cleanup steps.
    """

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self.console = Console(highlight=False, soft_wrap=True)
        self._live = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def print_line(self, line: str) -> None:
        """Print a line above the running steps."""
        self.console.print(line, markup=False)

    @contextmanager
    def step(self, label: str) -> Iterator[Callable[[str], None]]:
        """Show a step while the block runs; the yielded function adds a detail to its label.

        Raises:
            CancelledError: the user has asked to stop.
        """
        if self.cancelled.is_set():
            raise CancelledError
        with self._shown(label) as show_detail:
            yield show_detail

    @contextmanager
    def cleanup_step(self, label: str) -> Iterator[None]:
        """Show a step that stops something; it runs even after cancellation."""
        with self._shown(label):
            yield

    @contextmanager
    def _shown(self, label: str) -> Iterator[Callable[[str], None]]:
        task = self._live.add_task(label)
        started = time.monotonic()
        try:
            yield lambda detail: self._live.update(task, description=f"{label}: {detail}")
        except BaseException:
            self.print_line(f"✗ {label}")
            raise
        else:
            self.print_line(f"✓ {label} ({time.monotonic() - started:.1f} s)")
        finally:
            self._live.remove_task(task)
