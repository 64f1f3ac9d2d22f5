"""Asynchronous invocations are retried when the function fails, as in Lambda."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from local.gateway.server import AsgiServer
from local.lambda_runtime.environment import EnvironmentPool
from local.lambda_runtime.functions import Function
from local.websocket.aws_apis import AsyncInvocations
from tests.integration.local.conftest import PROBE
from tests.support.together import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NO_DELAYS = (0.01, 0.01)
EVENT = {"x-amz-invocation-type": "Event"}


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    function = Function("probe", "probe.fail", {}, tmp_path, 30, import_roots=(PROBE,))
    pool = EnvironmentPool(function, 1)
    accept = AsyncInvocations({"probe": pool}, NO_DELAYS).accept
    server = AsgiServer(Starlette(routes=[Route("/{name}", accept, methods=["POST"])]), 0)
    yield f"http://127.0.0.1:{server.port}"
    server.stop()
    pool.close()


def test_failing_function_is_invoked_three_times(address: str, tmp_path: Path) -> None:
    answer = httpx.post(f"{address}/probe", headers=EVENT, content=b"{}")

    assert answer.status_code == 202
    log = tmp_path / "probe-1.log"
    eventually(
        lambda: log.exists() and log.read_text().count("[ERROR] LookupError") == 3,
        "three invocations",
    )


def test_synchronous_invocation_is_refused(address: str) -> None:
    answer = httpx.post(f"{address}/probe", content=b"{}")

    assert answer.status_code == 400
    assert answer.headers["x-amzn-errortype"] == "InvalidParameterValueException"
