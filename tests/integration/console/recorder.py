"""Operations that do nothing, and the calls of them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from ops.console.access import TOKEN_HEADER
from tests.integration.console.deployment import TOKEN, served

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ops.interface import Operations


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


@contextmanager
def client_of(
    operations: Operations, folder: Path, *, allow_publish: bool = False
) -> Iterator[httpx.Client]:
    """Serve the console of some operations to a program that knows the token."""
    with (
        served(operations, folder, allow_publish=allow_publish) as url,
        httpx.Client(base_url=url, headers={TOKEN_HEADER: TOKEN}) as client,
    ):
        yield client
