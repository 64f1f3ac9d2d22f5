"""What all tests share."""

from __future__ import annotations

import tests.support.profile  # noqa: F401 - sets up hypothesis

pytest_plugins = ["tests.servers", "tests.functions"]
