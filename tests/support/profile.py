"""How hypothesis runs here: no deadline per example, and in CI always the same examples."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("scheduler", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("scheduler")
