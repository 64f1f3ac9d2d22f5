"""What `make build` left, and how to run it without Docker."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PYTHON: Final = ROOT / ".venv-sam" / "bin" / "python"
BUILD: Final = ROOT / ".aws-sam" / "build"
LAYERS: Final = ("SchedulerLayer", "ProvisioningLayer")
ABSENT: Final = Path(__file__).with_name("absent")
"""Modules that hide packages of SAM's environment: Lambda's runtime has boto3 and what it requires.

PyMySQL and botocore import these where they are installed, which takes longer than our own code.
"""

_MACHINE: Final = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
_PACKAGES: Final = PYTHON.parents[1] / "lib" / "python3.13" / "site-packages"
EMULATOR: Final = _PACKAGES / "samcli" / "local" / "rapid" / f"aws-lambda-rie-{_MACHINE}"

SERVICES: Final = (
    "device-events",
    "user-events",
    "billing-events",
    "allocation-api",
    "notification-dispatch",
    "housekeeping",
    "realtime",
    "provisioning",
)


def function_of(service: str) -> str:
    """Return the logical id of a service's function, e.g. ``DeviceEventsFunction``."""
    return "".join(word.capitalize() for word in service.split("-")) + "Function"


def import_path(function: str) -> str:
    """Return PYTHONPATH as Lambda has it: the function, then its layers; the rest is hidden."""
    layers = (BUILD / layer / "python" for layer in LAYERS)
    return os.pathsep.join(map(str, (BUILD / function, *layers, ABSENT)))
