"""Every combination of parts that the stack makes and parts that are given to it."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.template.combination import NESTED, Combination
from tests.template.rules import broken_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

Templates = dict[str, dict[str, Any]]

ARN: Final = "arn:aws:{}:us-east-1:123456789012:{}"
GIVEN: Final = {
    "network": {"VpcId": "vpc-1", "SubnetIds": "subnet-1,subnet-2", "SecurityGroupIds": "sg-1"},
    "broker": {
        "BrokerArn": ARN.format("mq", "broker:b:b-1"),
        "BrokerEndpoint": "amqps://b.example.com:5671",
        "BrokerSecretArn": ARN.format("secretsmanager", "secret:b-a1b2c3"),
    },
    "database": {
        "DatabaseEndpoint": "d.example.com:3306",
        "DatabaseAdminSecretArn": ARN.format("secretsmanager", "secret:a-a1b2c3"),
        "DatabaseSecretArn": ARN.format("secretsmanager", "secret:d-a1b2c3"),
    },
    "identity": {"JwtIssuer": "https://id.example.com", "JwtAudience": "a,b"},
}
CHOICES: Final = [
    tuple(part for part, chosen in zip(GIVEN, choice, strict=True) if chosen)
    for choice in product((False, True), repeat=len(GIVEN))
]
PARTS: Final = [
    parts
    for parts in CHOICES
    if "network" in parts or not {"broker", "database"} & set(parts)  # a rule requires it
]
OPTIONS: Final = [
    {
        "HighAvailability": high,
        "BrokerInstanceType": f"mq.m7g.{size}",
        "Shards": shards,
        "Canary": canary,
        "XRay": canary,
    }
    for high, size, shards, canary in (
        ("false", "medium", "1", "off"),
        ("true", "large", "4", "on"),
    )
]

combinations: Final = pytest.mark.parametrize("parts", PARTS, ids=lambda p: "+".join(p) or "none")


def given(parts: tuple[str, ...]) -> dict[str, str]:
    values = {"EmailFrom": "no-reply@example.com"}
    return values | {name: one for part in parts for name, one in GIVEN[part].items()}


def stacks(
    templates: Templates, name: str, values: dict[str, str]
) -> Iterator[tuple[Combination, dict[str, Combination]]]:
    """Yield each stack of a deployment with those that it makes, the inner ones first."""
    outer, nested = Combination(templates[name], values), {}
    for stack, resource in outer.resources.items():
        if resource["Type"] == NESTED:
            url = resource["Properties"]["TemplateURL"].removesuffix(".yaml")
            path = url if url.startswith("infrastructure/") else f"infrastructure/{url}"
            inner = list(stacks(templates, path, outer.parameters_of(stack)))
            yield from inner
            nested[stack] = inner[-1][0]
    yield outer, nested


@combinations
@pytest.mark.parametrize("options", OPTIONS, ids=["smallest", "largest"])
def test_every_reference_leads_to_something_that_is_made(
    expanded: Templates, parts: tuple[str, ...], options: dict[str, str]
) -> None:
    values = given(parts) | options
    assert broken_rules(expanded["template"], "us-east-1", **values) == set()

    for outer, nested in stacks(expanded, "template", values):
        assert outer.unresolved(nested) == []
        for name, one in nested.items():
            assert outer.wrong_parameters(name, one) == set(), name


def test_given_parts_are_not_made(expanded: Templates) -> None:
    everything = given(tuple(GIVEN))

    infrastructure = Combination(
        expanded["infrastructure/stack"],
        Combination(expanded["template"], everything).parameters_of("Infrastructure"),
    )

    assert infrastructure.resources == {}


def test_reference_to_a_part_that_is_not_made_is_found(expanded: Templates) -> None:
    template = json.loads(json.dumps(expanded["infrastructure/stack"]))
    template["Outputs"]["BrokerArn"]["Value"] = {"Fn::GetAtt": ["Broker", "Outputs.Arn"]}
    values = Combination(expanded["template"], given(("network", "broker")))

    broken = Combination(template, values.parameters_of("Infrastructure"))

    assert "BrokerArn: Broker is not made" in broken.unresolved({})
