from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from local.environment import aws_environment
from ops.__main__ import app
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


def test_smoke_passes_all_checks_through_the_function_of_the_operators(platform: Platform) -> None:
    operations = platform.endpoints["operations"]
    environment = {
        **aws_environment(platform.endpoints["aws"]),
        "AWS_ACCESS_KEY_ID": operations["accessKeyId"],
        "AWS_SECRET_ACCESS_KEY": operations["secretAccessKey"],
    }

    result = CliRunner().invoke(
        app, ["--stack", operations["stack"], "smoke", "--json"], env=environment
    )

    checks = json.loads(result.stdout)["checks"]
    assert [one for one in checks if not one["passed"]] == []
    assert len(checks) == 12
    assert result.exit_code == 0
