"""Queries several servers in parallel; some of them may hang."""

from __future__ import annotations

import time
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")


class NoAnswerError(Exception):
    """A server has not answered in time."""


def ask_all(questions: Mapping[str, Callable[[], T]], seconds: float) -> dict[str, T | Exception]:
    """Return each answer by name, or the error that was raised, after some seconds at most.

    Those that have not answered by then get a `NoAnswerError`. They go on in threads that do not
    keep the process alive.
    """
    answers: dict[str, T | Exception] = {
        name: NoAnswerError(f"no answer within {seconds:g} s") for name in questions
    }

    def ask(name: str, question: Callable[[], T]) -> None:
        try:
            answers[name] = question()
        except Exception as error:  # noqa: BLE001 - every error is an answer
            answers[name] = error

    threads = [Thread(target=ask, args=item, daemon=True) for item in questions.items()]
    end = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(answers)
