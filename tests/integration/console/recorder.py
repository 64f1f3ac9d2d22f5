"""Operations that do nothing, and the calls of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass
class Recorder:
    """Operations that record their calls and return what a test wants."""

    answers: dict[str, list[Any]] = field(default_factory=dict)
    calls: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    place: str = "test"

    def call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        self.calls.append((operation, arguments))
        answer = self.answers.get(operation, [{}]).pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)
