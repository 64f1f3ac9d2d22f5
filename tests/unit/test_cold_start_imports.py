"""A cold start imports the libraries it needs, and little of its own: counted, not timed."""

import os
import subprocess
import sys

import pytest

from local.paths import ROOT

LIBRARIES = (
    "from aws_lambda_powertools import Logger, Metrics; import pydantic, pymysql;"
    # pydantic imports most of itself only when the first model is made.
    " pydantic.create_model('Model', field=str)"
)
OURS = ("scheduler", "device_events", "user_events")
MOST_OF_OURS = 85
MOST_BESIDES = {"pydantic.alias_generators", "urllib", "urllib.parse"}
"""What comes with our modules beyond the libraries; each more is to be weighed."""

VARIABLES = {
    "AWS_LAMBDA_FUNCTION_NAME": "function",
    "BROKER_URL": "amqp://127.0.0.1:1/cloudphone",
    "DATABASE_URL": "mysql://scheduler@127.0.0.1:1/cloudphone",
    "PYTHONPATH": os.pathsep.join(str(ROOT / root) for root in ("functions", "layers/scheduler")),
}


def imported(statement: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{statement}; import sys; print(*sys.modules)"],
        env={"PATH": os.environ["PATH"], **VARIABLES},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("function", ["device_events", "user_events"])
def test_an_event_function_imports_little_beyond_its_libraries(function: str) -> None:
    more = imported(f"import {function}.app") - imported(LIBRARIES)

    ours = {name for name in more if name.partition(".")[0] in OURS}
    assert more - ours <= MOST_BESIDES
    assert len(ours) <= MOST_OF_OURS
