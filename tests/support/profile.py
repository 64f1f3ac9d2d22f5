"""How hypothesis runs here: no deadline per example, and in CI always the same examples."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A busy machine is slow to draw, which says nothing about a strategy.
settings.register_profile(
    "scheduler",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("scheduler")
