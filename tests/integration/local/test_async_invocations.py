"""Asynchronous invocations are tried again when the function fails, as Lambda does."""

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

AT_ONCE = (0.01, 0.01)
EVENT = {"x-amz-invocation-type": "Event"}


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    function = Function("probe", "probe.fail", {}, tmp_path, 30, import_roots=(PROBE,))
    pool = EnvironmentPool(function, 1)
    accept = AsyncInvocations({"probe": pool}, AT_ONCE).accept
    server = AsgiServer(Starlette(routes=[Route("/{name}", accept, methods=["POST"])]), 0)
    yield f"http://127.0.0.1:{server.port}"
    server.stop()
    pool.close()


def test_a_failing_function_is_tried_three_times(address: str, tmp_path: Path) -> None:
    answer = httpx.post(f"{address}/probe", headers=EVENT, content=b"{}")

    assert answer.status_code == 202
    log = tmp_path / "probe-1.log"
    eventually(
        lambda: log.exists() and log.read_text().count("[ERROR] LookupError") == 3, "three tries"
    )


def test_a_synchronous_invocation_is_not_offered(address: str) -> None:
    answer = httpx.post(f"{address}/probe", content=b"{}")

    assert answer.status_code == 400
    assert answer.headers["x-amzn-errortype"] == "InvalidParameterValueException"
