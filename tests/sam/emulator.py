"""A built function in Lambda's runtime emulator."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any, Self

import httpx

from local.ports import HOST, free_port
from tests.sam.built import BUILD, EMULATOR, PYTHON, import_path
from tests.support.together import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Emulator:
    """Runs one function until the block ends.

    Args:
        function: its logical id in the template.
        handler: its handler.
        variables: its environment.
        log: receives what it prints.
    """

    def __init__(
        self, function: str, handler: str, variables: Mapping[str, str], log: Path
    ) -> None:
        self._url = f"http://{HOST}:{free_port()}"
        address, runtime = self._url.removeprefix("http://"), f"{HOST}:{free_port()}"
        self._command = [
            str(EMULATOR),
            *("--runtime-interface-emulator-address", address),
            *("--runtime-api-address", runtime),
            *(str(PYTHON), "-m", "awslambdaric", handler),
        ]
        self._environment = {
            **{name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}},
            **variables,
            "AWS_LAMBDA_FUNCTION_NAME": function,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": "120",
            "LAMBDA_TASK_ROOT": str(BUILD / function),
            "PYTHONPATH": import_path(function),
        }
        self._log = log

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._environment["LAMBDA_TASK_ROOT"],
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        eventually(self._listens, "the runtime emulator listens")
        return self

    def __exit__(self, *raised: object) -> None:
        self._process.terminate()
        self._process.wait()

    def invoke(self, event: object) -> Any:  # noqa: ANN401 - any JSON
        """Return what the handler returns; fail with the log if it raises."""
        answer = httpx.post(
            f"{self._url}/2015-03-31/functions/function/invocations",
            content=json.dumps(event),
            timeout=120,
        )
        result = answer.json()
        failed = isinstance(result, dict) and "errorMessage" in result
        assert not failed, f"{result}\n{self._log.read_text()}"
        return result

    def _listens(self) -> bool:
        try:
            httpx.get(self._url, timeout=2)
        except httpx.ConnectError:
            return False
        return True
