"""How large the layer is, and how much a cold start imports."""

from __future__ import annotations

import json

import pytest

from tests.sam.built import BUILD, PYTHON, SERVICES, function_of
from tests.sam.importing import run

MEGABYTE = 1_000_000
LAYER_LIMIT = 25
LIBRARIES = """
from aws_lambda_powertools import Logger, Metrics
import pydantic, pymysql
pydantic.create_model("Model", field=str)
"""
"""What every function needs; pydantic imports most of itself when the first model is made."""
MODULES = {
    "device-events": 90,
    "user-events": 90,
    "billing-events": 320,
    "allocation-api": 240,
    "notification-dispatch": 300,
    "housekeeping": 165,
    "realtime": 270,
    "provisioning": 185,
}
"""Modules that a cold start may import beside the libraries; `make bench` measures the time."""
CALLERS_OF_AWS = {"billing-events", "notification-dispatch", "realtime"}
"""Only these import boto3, which takes longer than all other libraries together."""

RUNTIME = {"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"}
"""boto3 and what it requires, which Lambda's Python runtime has."""
INSTALLED = PYTHON.parents[1] / "lib"
PRINT_MODULES = """
import json, sys
files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
print(json.dumps(files))
"""


def test_layer_is_within_its_size_limit(capsys: pytest.CaptureFixture[str]) -> None:
    layer = BUILD / "SchedulerLayer"
    size = sum(file.stat().st_size for file in layer.rglob("*") if file.is_file()) / MEGABYTE

    with capsys.disabled():
        print(f"\nlayer: {size:.1f} MB unzipped, limit {LAYER_LIMIT}")
    assert size <= LAYER_LIMIT


@pytest.mark.parametrize("service", SERVICES)
def test_functions_import_no_package_that_their_layers_and_the_runtime_lack(service: str) -> None:
    modules = imported_by(service)

    packages = {
        n.partition(".")[0] for n, f in modules.items() if f and f.startswith(f"{INSTALLED}")
    }
    assert packages - {"_distutils_hack"} <= RUNTIME  # setuptools loads it into every process


@pytest.mark.parametrize("service", SERVICES)
def test_functions_import_few_modules_beside_their_libraries(
    service: str, capsys: pytest.CaptureFixture[str]
) -> None:
    libraries = loaded_after(service, LIBRARIES)

    added = imported_by(service).keys() - libraries.keys()

    with capsys.disabled():
        print(f"\n{service} imports {len(added)} modules, limit {MODULES[service]}")
    assert len(added) <= MODULES[service]


@pytest.mark.parametrize("service", SERVICES)
def test_only_functions_that_call_aws_import_boto3(service: str) -> None:
    assert ("boto3" in imported_by(service)) == (service in CALLERS_OF_AWS)


def imported_by(service: str) -> dict[str, str | None]:
    """Return the modules that are loaded when a function has started, with their files."""
    return loaded_after(service, f"import {service.replace('-', '_')}.app\n")


def loaded_after(service: str, statement: str) -> dict[str, str | None]:
    """Return the modules that are loaded after a statement, with their files."""
    files: dict[str, str | None] = json.loads(run(function_of(service), statement + PRINT_MODULES))
    return files
