"""Runs built functions as ``sam local invoke`` does, against the local platform."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import yaml

from local.environment import aws_environment, function_environment
from local.errors import LocalError
from local.event_source_mapping.environment import FunctionError
from local.files import write_private
from local.paths import ROOT
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
_OF_SDK: Final = ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_LAMBDA")
"""Variables that lead boto3 to the embedded AWS."""
_PASSWORDS_IN_URLS: Final = {
    "DATABASE_AUTH": "password",
    "DATABASE_SECRET_ARN": "",
    "DATABASE_CA_FILE": "",
    "BROKER_SECRET_ARN": "",
}


def image() -> str:
    """Return the image that the functions run in: ``LAMBDA_IMAGE``, else the public one."""
    return os.environ.get(IMAGE_VARIABLE) or PUBLIC_IMAGE


def ports(endpoints: Mapping[str, Any]) -> set[int]:
    """Return the ports of this machine at which functions find servers of the platform."""
    wanted = ("database", "amqp", "rabbitmq_management", "aws", "websocket")
    places = [urlsplit(endpoints[name]) for name in wanted if name in endpoints]
    return {place.port for place in places if place.hostname == HOST and place.port}


@dataclass(frozen=True)
class SamLocal:
    """Invokes what ``make build-here`` built, each time in a container of its own.

    Attributes:
        endpoints: of the running platform.
        network: a Docker network that leads to it.
        folder: receives the variables, with passwords, for the time of an invocation.
        tell: told what sam prints, with the function's log.
    """

    endpoints: Mapping[str, Any]
    network: str
    folder: Path
    tell: Callable[[str], None] = lambda _: None

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
            **variables: environment variables besides those of the local platform.

        Raises:
            FunctionError: the function raised, which sam itself does not count as a failure.
            LocalError: there was no invocation; sam has printed why.
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
        self.tell(printed)
        try:
            result = json.loads(done.stdout)
        except ValueError:
            raise LocalError(f"sam local invoke {function} returned nothing") from None
        if isinstance(result, dict) and "errorMessage" in result:
            raise FunctionError(result["errorType"], result["errorMessage"])
        return result

    @property
    def _variables_file(self) -> Path:
        return self.folder / "sam-variables.json"

    def _environment(self) -> dict[str, str]:
        """Return sam's variables; its region and credentials are those that functions get."""
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
    """Write the built template as sam needs it here.

    sam hands over no variable that the template does not name, and calls a function by its logical
    id. The nested stacks hold no function, but reading them takes most of sam's time.
    """
    built = _BUILD / "template.yaml"
    if not built.exists():
        raise LocalError("nothing is built for this machine: run make build-here")
    template = yaml.safe_load(built.read_text("utf-8"))
    template["Globals"]["Function"]["Environment"]["Variables"] |= dict.fromkeys(_OF_SDK, "")
    for name, resource in list(template["Resources"].items()):
        if resource["Type"] == "AWS::CloudFormation::Stack":
            del template["Resources"][name]
        if resource["Type"] == "AWS::Serverless::Function":
            variables = resource["Properties"]["Environment"]["Variables"]
            variables["AWS_LAMBDA_FUNCTION_NAME"] = variables["POWERTOOLS_SERVICE_NAME"]
    local = _BUILD / "local.json"
    local.write_text(json.dumps(template), "utf-8")
    return local
