"""How a message is followed through logs, notifications and outgoing events."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

# https://www.w3.org/TR/trace-context/#traceparent-header: version 00; ids of zeros are invalid.
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class TraceContext(NamedTuple):
    """The tracing ids that the publisher of a message set; None for those that it did not set.

    ``traceparent`` is that of W3C Trace Context, which OpenTelemetry propagates.
    """

    correlation_id: str | None = None
    traceparent: str | None = None


NO_TRACE: Final = TraceContext()
"""Of API requests and scheduled jobs."""


def valid_traceparent(value: object) -> str | None:
    """Return a well-formed ``traceparent`` of version 00; None for anything else."""
    return value if isinstance(value, str) and _TRACEPARENT.fullmatch(value) else None
