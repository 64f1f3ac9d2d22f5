"""CloudFormation provisions again whenever something changes that the result depends on."""

import json
from typing import Any

import pytest

from tests.template.stack import Stack

READ = {
    *("DATABASE_URL", "DATABASE_AUTH", "DATABASE_SECRET_ARN", "DATABASE_CA_FILE"),
    *("BROKER_URL", "BROKER_SECRET_ARN", "BROKER_MANAGEMENT_URL", "SHARDS"),
    *("LOG_GROUPS", "LOG_RETENTION_DAYS"),
    *("CONSUMER_SECRET_ARN", "PUBLISHER_SECRET_ARN", "OPERATOR_SECRET_ARN"),
    *("OPERATIONS_USER", "OPERATIONS_SECRET_ARN"),
    *("APPLICATION_USER", "APPLICATION_SECRET_ARN"),
}


@pytest.fixture
def properties(stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = stack.resources["Provisioning"]["Properties"]
    return found


def variables(stack: Stack) -> dict[str, Any]:
    found: dict[str, Any] = stack.functions["ProvisioningFunction"]["Environment"]["Variables"]
    return found


@pytest.mark.parametrize("name", sorted(READ))
def test_variable_of_the_function_is_a_property(
    stack: Stack, properties: dict[str, Any], name: str
) -> None:
    value = variables(stack)[name]

    assert isinstance(value, str) or value in properties.values()


def test_every_variable_that_it_reads_is_tested(stack: Stack) -> None:
    from provisioning.settings import ProvisioningSettings  # noqa: PLC0415 - named by the test only

    assert {name.upper() for name in ProvisioningSettings.model_fields} == READ
    assert variables(stack).keys() >= READ


def test_code_and_layers_are_properties(stack: Stack, properties: dict[str, Any]) -> None:
    versions = stack.of_type("AWS::Lambda::Version")
    (version,) = (name for name in versions if name.startswith("ProvisioningFunction"))
    layers = stack.functions["ProvisioningFunction"]["Layers"]

    assert properties["Code"] == {"Ref": version}
    assert all(layer in properties.values() for layer in layers)


def test_properties_fit_into_a_request(properties: dict[str, Any]) -> None:
    """An asynchronous invocation accepts 256 KB; each value comes twice in an update."""
    assert len(json.dumps(properties)) < 10_000
