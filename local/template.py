"""What the local platform reads from ``template.yaml`` instead of saying it a second time."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import yaml

from local.paths import ROOT

_TEMPLATE: Final = ROOT / "template.yaml"
_TABLE: Final = "AWS::DynamoDB::Table"
_FUNCTION: Final = "AWS::Serverless::Function"
_CORS: Final = "CorsConfiguration"


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms: ``!Ref X`` becomes ``{"Ref": "X"}``."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.MappingNode):
        return {suffix: loader.construct_mapping(node, deep=True)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    return {suffix: node.value}


_Loader.add_multi_constructor("!", _short_form)


def dynamodb_tables() -> list[dict[str, Any]]:
    """Return the properties of each DynamoDB table."""
    resources = _template()["Resources"].values()
    return [_resolved(item["Properties"]) for item in resources if item["Type"] == _TABLE]


def function_variable(name: str) -> str:
    """Return the value that an environment variable has in the functions that have it.

    Raises:
        StopIteration: no function has it.
        KeyError: its value depends on the deployment.
    """
    functions = _template()["Resources"].values()
    return next(
        str(_resolved(variables[name]))
        for owner in (_template()["Globals"]["Function"], *(f["Properties"] for f in functions))
        if name in (variables := owner.get("Environment", {}).get("Variables", {}))
    )


def cors() -> dict[str, Any]:
    """Return what the HTTP API allows pages of other origins."""
    allowed: dict[str, Any] = _resolved(_template()["Resources"]["HttpApi"]["Properties"][_CORS])
    return allowed


def deployed_function(service: str) -> dict[str, Any]:
    """Return the properties of the function of a service name, and of all functions.

    Raises:
        StopIteration: the stack has no such function.
    """
    template = _template()
    resources = template["Resources"].values()
    own = next(item for item in resources if _service(item) == service)
    return {**template["Globals"]["Function"], **own["Properties"]}


def _service(resource: dict[str, Any]) -> str | None:
    if resource["Type"] != _FUNCTION:
        return None
    name: str = resource["Properties"]["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]
    return name


@cache
def _template() -> dict[str, Any]:
    text = _TEMPLATE.read_text(encoding="utf-8")
    template: dict[str, Any] = yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a SafeLoader
    return template


def _resolved(value: Any) -> Any:  # noqa: ANN401 - any YAML
    """Replace references to parameters by their defaults, and to tables by their names."""
    match value:
        case {"Ref": name} if name in _template()["Parameters"]:
            return _template()["Parameters"][name]["Default"]
        case {"Ref": name}:
            return _resolved(_template()["Resources"][name]["Properties"]["TableName"])
        case dict():
            return {key: _resolved(item) for key, item in value.items()}
        case list():
            return [_resolved(item) for item in value]
        case _:
            return value
