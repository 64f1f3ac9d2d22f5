"""Settings that the local platform reads from ``template.yaml``."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import yaml

from local.paths import ROOT

_TEMPLATE: Final = ROOT / "template.yaml"
_TABLE: Final = "AWS::DynamoDB::Table"
_FUNCTION: Final = "AWS::Serverless::Function"


class _Loader(yaml.SafeLoader):
    """Reads the short form of CloudFormation's functions: ``!Ref X`` becomes ``{"Ref": "X"}``."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.MappingNode):
        return {suffix: loader.construct_mapping(node, deep=True)}
    if isinstance(node, yaml.SequenceNode):
        return {suffix: loader.construct_sequence(node, deep=True)}
    return {suffix: node.value}


_Loader.add_multi_constructor("!", _short_form)


def template() -> dict[str, Any]:
    """Return the main template; ``!Ref X`` is ``{"Ref": "X"}``."""
    return _template()


def dynamodb_tables() -> list[dict[str, Any]]:
    """Return the properties of each DynamoDB table."""
    resources = _template()["Resources"].values()
    return [_resolved(item["Properties"]) for item in resources if item["Type"] == _TABLE]


def function_variable(name: str) -> str:
    """Return the value of an environment variable in the functions that have it.

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
    """Return the CORS configuration of the HTTP API."""
    properties = _template()["Resources"]["HttpApi"]["Properties"]
    allowed: dict[str, Any] = _resolved(properties["CorsConfiguration"])
    return allowed


def deployed_function(service: str) -> dict[str, Any]:
    """Return the properties of a function, including the global ones.

    Args:
        service: its POWERTOOLS_SERVICE_NAME.

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
    """Replace references to parameters with their defaults, and to tables with their names."""
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
