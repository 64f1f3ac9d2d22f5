"""Measures the init phase of the built functions under the runtime emulator.

boto3 comes from the SAM environment, as Lambda's runtime brings its own. Packages that Lambda's
runtime lacks are hidden (`tests.sam.built.ABSENT`).
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from local.environment import websocket_environment
from local.template import deployed_function
from tests.sam.built import SERVICES, function_of
from tests.sam.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.testbed import Testbed

BARE: Final = "from aws_lambda_powertools import Logger, Metrics; import pydantic, pymysql"
_ROUNDS: Final = 5
_INIT: Final = re.compile(
    r"INIT RTDONE\(status: success\).*?INIT REPORT\(durationMs: ([\d.]+)\)", re.DOTALL
)


class _Function(Emulator):
    """A function with the packages of Lambda's runtime; modules of ``folder`` come first."""

    def __init__(
        self, function: str, handler: str, variables: dict[str, str], folder: Path
    ) -> None:
        super().__init__(function, handler, variables, folder / "log")
        self._environment["PYTHONPATH"] = f"{folder}{os.pathsep}{self._environment['PYTHONPATH']}"


def measure(testbed: Testbed) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the init time of each function in ms, and its ratio to that of bare imports."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bare.py").write_text(f"{BARE}\n\n\ndef handler(event, context): ...\n")
        bare = _Function("DeviceEventsFunction", "bare.handler", testbed.environment, folder)
        emulators = {
            "bare imports": bare,
            **{service: _emulator(service, testbed, folder) for service in SERVICES},
        }
        # Round by round, so that changes in the speed of the machine affect all alike.
        rounds = [
            {name: _init(emulator, folder / "log") for name, emulator in emulators.items()}
            for _ in range(_ROUNDS)
        ]
    for name in emulators:
        yield (
            name,
            {
                "milliseconds": median(each[name] for each in rounds),
                "times": median(each[name] / each["bare imports"] for each in rounds),
            },
        )


def _emulator(service: str, testbed: Testbed, folder: Path) -> _Function:
    properties = deployed_function(service)
    variables = {
        **testbed.environment,
        **websocket_environment(1),
        "POWERTOOLS_SERVICE_NAME": service,
    }
    return _Function(function_of(service), properties["Handler"], variables, folder)


def _init(emulator: Emulator, log: Path) -> float:
    with emulator, suppress(AssertionError):  # the result of an empty event does not matter
        emulator.invoke({})
    found = _INIT.search(log.read_text(encoding="utf-8"))
    if found is None:
        raise LookupError(f"the emulator did not say how long the init took:\n{log.read_text()}")
    return float(found[1])
