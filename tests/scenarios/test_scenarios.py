from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.scenarios.platform import Platform
from tests.scenarios.scenarios import SCENARIOS
from tests.scenarios.story import Story

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.paths import StateDir


@pytest.fixture(scope="module")
def platform(local_platform: StateDir) -> Iterator[Platform]:
    with closing(Platform(local_platform)) as connected:
        yield connected


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_scenario_has_the_expected_effects(
    platform: Platform, scenario: Callable[[Story], None]
) -> None:
    with closing(Story(platform, print)) as story:
        scenario(story)
