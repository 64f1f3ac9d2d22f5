"""What a deployment will make, from ``template.yaml`` and ``samconfig.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from local.paths import ROOT
from local.template import template
from operations.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

BROKER_VERSION: Final = "4.2"
"""As in infrastructure/broker.yaml, which a test compares."""
UNRESERVED: Final = 100
"""Concurrent executions that Lambda keeps for functions that reserve none.

docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
"""


@dataclass(frozen=True)
class Deployment:
    """A stack and its parameters."""

    stack_name: str
    parameters: Mapping[str, str]

    @classmethod
    def of(cls, environment: str) -> Deployment:
        """Read an environment of ``samconfig.toml``.

        Raises:
            InvalidInputError: there is no such environment.
        """
        config = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
        if environment not in config:
            raise InvalidInputError(f"samconfig.toml has no section {environment}")
        shared = config[environment]["global"]["parameters"]
        known = template()["Parameters"].items()
        defaults = {name: str(one["Default"]) for name, one in known if "Default" in one}
        given = dict(one.split("=", 1) for one in shared["parameter_overrides"])
        return cls(shared["stack_name"], defaults | {k: v.strip('"') for k, v in given.items()})

    @property
    def table_names(self) -> list[str]:
        """Return the names of the tables that the stack makes."""
        return [value for name, value in self.parameters.items() if name.endswith("TableName")]

    @property
    def nat_gateways(self) -> int:
        """Return how many NAT gateways, each with an Elastic IP, the stack makes."""
        if self.parameters["VpcId"]:
            return 0
        return 2 if self.parameters["HighAvailability"] == "true" else 1

    @property
    def reserved_concurrency(self) -> int:
        """Return the concurrent executions that the functions reserve."""
        resources = template()["Resources"].values()
        properties = (one.get("Properties", {}) for one in resources)
        reserved = (one.get("ReservedConcurrentExecutions", 0) for one in properties)
        return sum(map(self._number, reserved))

    def _number(self, reserved: Any) -> int:  # noqa: ANN401 - a number or an intrinsic function
        match reserved:
            case {"If": ["OneEnvironmentPerQueue", {"FindInMap": [mapping, _, column]}, _]}:
                given = int(self.parameters["EventConcurrency"])
                default = template()["Mappings"][mapping][self.parameters["Shards"]][column]
                return given or int(default)
            case _:
                return int(reserved)


def regions_with_roots() -> list[str]:
    """Return the regions whose databases the functions can verify."""
    (assertion,) = template()["Rules"]["RegionOfCertificates"]["Assertions"]
    regions: list[str] = assertion["Assert"]["Contains"][0]
    return regions
