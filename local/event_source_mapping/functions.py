"""The deployed functions, as the local platform runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from local.event_source_mapping.environment import Function
from local.template import deployed_function

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ALLOCATION_API: Final = "allocation-api"
REALTIME: Final = "realtime"
DISPATCHER: Final = "notification-dispatch"
HOUSEKEEPING: Final = "housekeeping"


def deployed(service: str, environment: Mapping[str, str], log_dir: Path) -> Function:
    """Return a function with the handler and the limits that the template gives it.

    Args:
        service: its service name, e.g. ``device-events``.
        environment: the environment variables that all functions have.
        log_dir: receives its logs.
    """
    properties = deployed_function(service)
    return Function(
        name=service,
        handler=properties["Handler"],
        variables={**environment, "POWERTOOLS_SERVICE_NAME": service},
        log_dir=log_dir,
        timeout_seconds=float(properties["Timeout"]),
        memory_mb=properties["MemorySize"],
    )
