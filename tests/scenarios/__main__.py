"""``make scenarios``: runs the six scenarios on the running local platform."""

from __future__ import annotations

import sys
from contextlib import closing

from local.paths import StateDir
from tests.scenarios.platform import Platform
from tests.scenarios.scenarios import SCENARIOS
from tests.scenarios.story import Story


def main() -> int:
    """Run all scenarios and return the number that failed."""
    failed = 0
    with closing(Platform(StateDir.default())) as platform:
        for number, scenario in enumerate(SCENARIOS, 1):
            print(f"\n{number}. {(scenario.__doc__ or '').strip()}")
            try:
                with closing(Story(platform, print)) as story:
                    scenario(story)
            except AssertionError as error:
                failed += 1
                print(f"  ✗ {error}")
    print(f"\n{len(SCENARIOS) - failed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main())
