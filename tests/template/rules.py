"""Evaluates the section Rules of a template, as CloudFormation does before it makes anything.

docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-rules.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def broken_rules(template: Mapping[str, Any], region: str, **given: str) -> set[str]:
    """Return the names of the rules that refuse a deployment.

    Args:
        template: the main template.
        region: where it is deployed.
        **given: parameters; the others have their defaults.

    Raises:
        KeyError: a parameter without a default is used and not given.
    """
    defaults = {name: one.get("Default") for name, one in template["Parameters"].items()}
    values = {**defaults, **given, "AWS::Region": region}

    def value(expression: Any) -> Any:  # noqa: ANN401, PLR0911 - any value; a case a function
        match expression:
            case {"Ref": name}:
                return _listed(template, name, values[name])
            case {"Fn::Equals": [left, right]}:
                return str(value(left)) == str(value(right))
            case {"Fn::Not": [one]}:
                return not value(one)
            case {"Fn::And": several}:
                return all(map(value, several))
            case {"Fn::Or": several}:
                return any(map(value, several))
            case {"Fn::Contains": [several, one]}:
                return value(one) in value(several)
            case _:
                return expression

    return {
        name
        for name, rule in template["Rules"].items()
        if value(rule.get("RuleCondition", True))
        and not all(value(one["Assert"]) for one in rule["Assertions"])
    }


def _listed(template: Mapping[str, Any], name: str, value: Any) -> Any:  # noqa: ANN401 - as above
    kind = template["Parameters"].get(name, {}).get("Type")
    return value.split(",") if kind == "CommaDelimitedList" else value
