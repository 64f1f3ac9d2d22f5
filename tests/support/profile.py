"""How hypothesis runs here: no deadline per example, and always the same examples.

Whoever asks for EXAMPLES looks for new ones: `make stateful`, `make schemathesis`.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A busy machine is slow to draw, which says nothing about a strategy.
settings.register_profile(
    "scheduler",
    deadline=None,
    derandomize="EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("scheduler")
