"""What the tests of the local Lambda, mapping and gateway share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from local.event_source_mapping.environment import Function, LambdaEnvironment

if TYPE_CHECKING:
    from collections.abc import Iterator

PROBE = Path(__file__).parent / "probe"


class MakeEnvironment(Protocol):
    """Makes an environment for a handler of probe/probe.py."""

    def __call__(
        self, handler: str, timeout: float = 30, **variables: str
    ) -> LambdaEnvironment: ...


@pytest.fixture
def make_environment(tmp_path: Path) -> Iterator[MakeEnvironment]:
    made: list[LambdaEnvironment] = []

    def make(handler: str, timeout: float = 30, **variables: str) -> LambdaEnvironment:
        function = Function(
            "probe", f"probe.{handler}", variables, tmp_path, timeout, import_roots=(PROBE,)
        )
        made.append(LambdaEnvironment(function, "stream"))
        return made[-1]

    yield make
    for one in made:
        one.close()
