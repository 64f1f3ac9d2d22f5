"""How long the built functions take to start under the runtime emulator, against bare imports."""

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

    from bench.stand import Stand

BARE: Final = "from aws_lambda_powertools import Logger, Metrics; import pydantic, pymysql"
_ROUNDS: Final = 5
_INIT: Final = re.compile(
    r"INIT RTDONE\(status: success\).*?INIT REPORT\(durationMs: ([\d.]+)\)", re.DOTALL
)


class _Bare(Emulator):
    """A function that imports the libraries and does nothing."""

    def __init__(self, variables: dict[str, str], folder: Path) -> None:
        super().__init__("DeviceEventsFunction", "bare.handler", variables, folder / "log")
        (folder / "bare.py").write_text(f"{BARE}\n\n\ndef handler(event, context): ...\n")
        self._environment["PYTHONPATH"] = f"{folder}{os.pathsep}{self._environment['PYTHONPATH']}"


def measure(stand: Stand) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the milliseconds of each function's init phase, and how many times the bare one's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        emulators = {
            "bare imports": _Bare(stand.environment, folder),
            **{service: _emulator(service, stand, folder) for service in SERVICES},
        }
        # Round by round, so that a change of the machine's speed meets all alike.
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


def _emulator(service: str, stand: Stand, folder: Path) -> Emulator:
    properties = deployed_function(service)
    variables = {
        **stand.environment,
        **websocket_environment(1),
        "POWERTOOLS_SERVICE_NAME": service,
    }
    return Emulator(function_of(service), properties["Handler"], variables, folder / "log")


def _init(emulator: Emulator, log: Path) -> float:
    with emulator, suppress(AssertionError):  # what it answers to nothing does not matter
        emulator.invoke({})
    found = _INIT.search(log.read_text(encoding="utf-8"))
    if found is None:
        raise LookupError(f"the emulator did not say how long the init took:\n{log.read_text()}")
    return float(found[1])
