"""What a deployment will make, from ``template.yaml`` and ``samconfig.toml``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

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
OTHER_CONNECTIONS: Final = 125
"""Database connections besides those of event functions, as in infrastructure/operations.yaml."""


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
        return self._of_event_functions + sum(one for one in reserved if isinstance(one, int))

    @property
    def database_connections(self) -> int:
        """Return how many connections to the database are expected at most."""
        return OTHER_CONNECTIONS + self._of_event_functions

    @property
    def _of_event_functions(self) -> int:
        consumers = template()["Mappings"]["Consumers"][self.parameters["Shards"]]
        return 3 * int(self.parameters["EventConcurrency"]) or int(consumers["All"])


def regions_with_roots() -> list[str]:
    """Return the regions whose databases the functions can verify."""
    (assertion,) = template()["Rules"]["RegionOfCertificates"]["Assertions"]
    regions: list[str] = assertion["Assert"]["Contains"][0]
    return regions
