"""What a deployment will make, from ``template.yaml`` and ``samconfig.toml``."""

from __future__ import annotations

import shlex
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from local.paths import ROOT
from local.template import template
from operations.errors import InvalidInputError
from operations.suggestions import hint

if TYPE_CHECKING:
    from collections.abc import Mapping

BROKER_VERSION: Final = "4.2"
"""As in infrastructure/broker.yaml, which a test compares."""
DATABASE_VERSION: Final = "10.11"
"""Likewise, in infrastructure/database.yaml."""
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
            InvalidInputError: there is no such environment, or the file has a mistake with which
                ``sam deploy`` would end after the build.
        """
        try:
            config = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise InvalidInputError(f"samconfig.toml is not TOML: {error}") from None
        if environment not in config:
            which = hint(
                environment, (name for name, one in config.items() if isinstance(one, dict))
            )
            raise InvalidInputError(f"samconfig.toml has no section {environment}: {which}")
        shared = config[environment]["global"]["parameters"]
        known = template()["Parameters"]
        defaults = {name: str(one["Default"]) for name, one in known.items() if "Default" in one}
        given = dict(map(_name_and_value, _words(shared["parameter_overrides"])))
        for unknown in sorted(given.keys() - known.keys()):
            raise InvalidInputError(
                f"template.yaml has no parameter {unknown}, which samconfig.toml sets:"
                f" {hint(unknown, known)}"
            )
        return cls(shared["stack_name"], defaults | given)

    @property
    def table_names(self) -> list[str]:
        """Return the names of the tables that the stack makes."""
        return [value for name, value in self.parameters.items() if name.endswith("TableName")]

    @property
    def function_names(self) -> list[str]:
        """Return the names of the functions that the stack makes."""
        resources = template()["Resources"].values()
        names = (one.get("Properties", {}).get("FunctionName") for one in resources)
        given = (name["Sub"] for name in names if name and "Sub" in name)
        return [name.replace("${AWS::StackName}", self.stack_name) for name in given]

    @property
    def several_zones(self) -> bool:
        """Return whether a created broker and database run in several zones."""
        return self.parameters["HighAvailability"] == "true"

    @property
    def nat_gateways(self) -> int:
        """Return how many NAT gateways, each with an Elastic IP, the stack makes."""
        if self.parameters["VpcId"]:
            return 0
        return 2 if self.several_zones else 1

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


def _words(overrides: str | list[str]) -> list[str]:
    """Return the parameters, which ``sam`` also accepts as one text."""
    return shlex.split(overrides) if isinstance(overrides, str) else overrides


def _name_and_value(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals:
        raise InvalidInputError(f"{word} in samconfig.toml is not of the form NAME=VALUE")
    return name, value.strip('"')


def regions_with_roots() -> list[str]:
    """Return the regions whose databases the functions can verify."""
    (assertion,) = template()["Rules"]["RegionOfCertificates"]["Assertions"]
    return _first(assertion["Assert"])


def regions_without_function_urls() -> list[str]:
    """Return the regions where the operations function cannot have a URL."""
    (assertion,) = template()["Rules"]["RegionOfFunctionUrls"]["Assertions"]
    return _first(assertion["Assert"]["Not"][0])


def regions_without_user_pools() -> list[str]:
    """Return the regions where the stack cannot make an identity provider."""
    return _first(template()["Rules"]["IdentityProviderOfRegion"]["RuleCondition"])


def _first(contains: Mapping[str, list[list[str]]]) -> list[str]:
    """Return the values among which the rule-specific function looks for another one."""
    return contains["Contains"][0]
