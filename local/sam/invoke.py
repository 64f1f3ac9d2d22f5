"""Invokes built functions with ``sam local invoke`` against the local platform."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import yaml

from local import LocalError
from local.environment import aws_environment, function_environment
from local.lambda_runtime.environment import FunctionError
from local.paths import ROOT, write_private
from local.ports import HOST
from local.sam.network import ALIAS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PUBLIC_IMAGE: Final = "public.ecr.aws/lambda/python:3.13"
IMAGE_VARIABLE: Final = "LAMBDA_IMAGE"
ARCHITECTURE: Final = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())

_BUILD: Final = ROOT / ".aws-sam" / "build"
_SAM: Final = ROOT / ".venv-sam" / "bin" / "sam"
_SDK_VARIABLES: Final = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_LAMBDA")
"""Variables that make boto3 use the embedded AWS."""
_PASSWORDS_IN_URLS: Final = {
    "DATABASE_AUTH": "password",
    "DATABASE_SECRET_ARN": "",
    "DATABASE_CA_FILE": "",
    "BROKER_SECRET_ARN": "",
}


def image() -> str:
    """Return the image for the functions: ``LAMBDA_IMAGE``, else the public one of AWS."""
    return os.environ.get(IMAGE_VARIABLE) or PUBLIC_IMAGE


def server_ports(endpoints: Mapping[str, Any]) -> set[int]:
    """Return the ports of the servers that functions connect to."""
    wanted = ("database", "amqp", "rabbitmq_management", "aws", "websocket")
    places = [urlsplit(endpoints[name]) for name in wanted if name in endpoints]
    return {place.port for place in places if place.hostname == HOST and place.port}


@dataclass(frozen=True)
class SamLocal:
    """Invokes the functions that ``make build-here`` built, each time in a new container.

    Attributes:
        endpoints: the addresses of the running platform.
        network: a Docker network in which the platform is reachable.
        folder: holds the variables, including passwords, during an invocation.
        print_output: called with sam's output and the function's log.
    """

    endpoints: Mapping[str, Any]
    network: str
    folder: Path
    print_output: Callable[[str], None] = lambda _: None

    def command(self, function: str) -> list[str]:
        """Return the command line; the event is read from standard input."""
        given = os.environ.get(IMAGE_VARIABLE)
        return [
            *(str(_SAM), "local", "invoke", function, "--event", "-"),
            *("--template", str(_template())),
            *("--env-vars", str(self._variables_file)),
            *("--parameter-overrides", f"Architecture={ARCHITECTURE}"),
            *("--docker-network", self.network),
            *(("--skip-pull-image", "--invoke-image", given) if given else ()),
        ]

    def invoke(self, function: str, event: bytes, **variables: str) -> Any:  # noqa: ANN401 - any JSON
        """Run a function and return its result.

        Args:
            function: its logical id in the template.
            event: JSON.
            **variables: additional environment variables.

        Raises:
            FunctionError: the function raised an exception; sam itself exits with 0 then.
            LocalError: the function was not invoked; sam has printed the reason.
        """
        wanted = json.dumps({"Parameters": self._variables() | _reachable(variables)})
        write_private(self._variables_file, wanted)
        done = subprocess.run(
            self.command(function),
            input=event,
            env=self._environment(),
            cwd=ROOT,
            capture_output=True,
            check=False,
        )
        self._variables_file.unlink()
        printed = done.stderr.decode("utf-8", "replace")
        self.print_output(printed)
        try:
            result = json.loads(done.stdout)
        except ValueError:
            raise LocalError(
                f"sam local invoke {function} returned nothing; see its output above"
            ) from None
        if isinstance(result, dict) and "errorMessage" in result:
            raise FunctionError(result["errorType"], result["errorMessage"])
        return result

    @property
    def _variables_file(self) -> Path:
        return self.folder / "sam-variables.json"

    def _environment(self) -> dict[str, str]:
        """Return the variables for sam; functions get its region and credentials."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {**kept, **aws_environment(self.endpoints["aws"]), "SAM_CLI_TELEMETRY": "0"}

    def _variables(self) -> dict[str, str]:
        known = self.endpoints
        websocket = known["websocket"].replace("ws://", "http://", 1)
        return _reachable(
            {
                **function_environment(known["database"], known["amqp"], known["aws"]),
                **_PASSWORDS_IN_URLS,
                "WEBSOCKET_ENDPOINT": websocket,
                "AWS_ENDPOINT_URL_LAMBDA": websocket,
                "SHARDS": str(known.get("shards", 1)),
            }
        )


def _reachable(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value.replace(HOST, ALIAS) for name, value in variables.items()}


def _template() -> Path:
    """Write a copy of the built template that is adapted to sam.

    sam only passes on variables that the template declares, and names a function by its logical
    id. The nested stacks contain no functions, but reading them takes most of sam's time.
    """
    built = _BUILD / "template.yaml"
    if not built.exists():
        raise LocalError("the functions are not built for this machine; run make build-here")
    template = yaml.safe_load(built.read_text("utf-8"))
    template["Globals"]["Function"]["Environment"]["Variables"] |= dict.fromkeys(_SDK_VARIABLES, "")
    for name, resource in list(template["Resources"].items()):
        if resource["Type"] == "AWS::CloudFormation::Stack":
            del template["Resources"][name]
        if resource["Type"] == "AWS::Serverless::Function":
            variables = resource["Properties"]["Environment"]["Variables"]
            variables["AWS_LAMBDA_FUNCTION_NAME"] = variables["POWERTOOLS_SERVICE_NAME"]
    local = _BUILD / "local.json"
    local.write_text(json.dumps(template), "utf-8")
    return local
