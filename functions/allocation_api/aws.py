"""How long a request waits for AWS."""

from __future__ import annotations

from typing import Any, Final

PATIENCE: Final[dict[str, Any]] = {
    "connect_timeout": 1,
    "read_timeout": 1,
    "retries": {"mode": "standard", "total_max_attempts": 2},
}
"""For botocore's ``Config``, seconds: two tries are over within five."""
