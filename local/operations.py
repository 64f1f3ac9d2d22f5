"""The function URL of the operations, and the stack "local" that names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from local.aws import aws_client
from local.gateway.function_url import FunctionUrl, LocalIdentity
from local.gateway.server import AsgiServer
from local.lambda_runtime.environment import EnvironmentPool
from local.lambda_runtime.functions import OPERATIONS, deployed
from local.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STACK: Final = "local"
"""``scheduler-ops --stack local`` finds the function with this name in the embedded AWS."""
_ENVIRONMENTS: Final = 3
_TEMPLATE: Final = """{
  "Parameters": {"Url": {"Type": "String"}},
  "Resources": {},
  "Outputs": {"OperationsUrl": {"Value": {"Ref": "Url"}}}
}"""


@dataclass(frozen=True, slots=True)
class OperationsServer:
    """The running function URL, and the identity that may call it."""

    server: AsgiServer
    pool: EnvironmentPool
    identity: LocalIdentity

    def endpoint(self) -> dict[str, str]:
        """Return the address and the credentials."""
        return {
            "url": f"http://{HOST}:{self.server.port}/",
            "stack": STACK,
            "accessKeyId": self.identity.access_key,
            "secretAccessKey": self.identity.secret_key,
        }

    def stop(self) -> None:
        """Close the port and the function's environments."""
        self.server.stop()
        self.pool.close()


def start_operations(port: int, environment: Mapping[str, str], log_dir: Path) -> OperationsServer:
    """Serve the function on 127.0.0.1, and create the stack in the embedded AWS.

    Raises:
        OSError: the port is taken.
    """
    identity = LocalIdentity.new()
    pool = EnvironmentPool(deployed(OPERATIONS, environment, log_dir), _ENVIRONMENTS)
    running = OperationsServer(AsgiServer(FunctionUrl(pool, identity), port), pool, identity)
    url = [{"ParameterKey": "Url", "ParameterValue": running.endpoint()["url"]}]
    cloudformation = aws_client("cloudformation", environment["AWS_ENDPOINT_URL"])
    cloudformation.create_stack(StackName=STACK, TemplateBody=_TEMPLATE, Parameters=url)
    return running
