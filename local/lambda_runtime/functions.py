"""The deployed functions: their handlers, limits and environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from local.paths import ROOT
from local.template import deployed_function

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ALLOCATION_API: Final = "allocation-api"
REALTIME: Final = "realtime"
DISPATCHER: Final = "notification-dispatch"
HOUSEKEEPING: Final = "housekeeping"
OPERATIONS: Final = "operations"

_IMPORT_ROOTS: Final = (ROOT / "functions", ROOT / "layers" / "scheduler")


@dataclass(frozen=True, slots=True)
class Function:
    """A deployed function: the settings that its execution environments share.

    Attributes:
        variables: all environment variables of the function. None of the developer's own
            variables, such as AWS credentials, reaches the handler.
    """

    name: str
    handler: str
    variables: Mapping[str, str] = field(repr=False)
    log_dir: Path
    timeout_seconds: float
    memory_mb: int = 1024
    import_roots: tuple[Path, ...] = _IMPORT_ROOTS

    def process_variables(self, log_stream: str) -> dict[str, str]:
        """Return the variables of a process: those of the function and those that Lambda sets."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "en_US.UTF-8",
            "PYTHONUTF8": "1",
            "TZ": "UTC",
            **self.variables,
            "PYTHONPATH": os.pathsep.join(map(str, self.import_roots)),
            "LAMBDA_TASK_ROOT": str(self.import_roots[0]),
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{self.name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
            "_HANDLER": self.handler,
        }


def deployed(service: str, environment: Mapping[str, str], log_dir: Path) -> Function:
    """Return a function with the handler and limits that ``template.yaml`` sets.

    Args:
        service: its service name, e.g. ``device-events``.
        environment: the environment variables that all functions share.
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
