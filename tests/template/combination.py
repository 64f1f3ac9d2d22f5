"""One combination of made and given parts: what is left of a template when its conditions hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NESTED: Final = "AWS::CloudFormation::Stack"
_PLACE: Final = re.compile(r"\$\{([\w.:]+)\}")
_NO_VALUE: Final = {"Ref": "AWS::NoValue"}


class Combination:
    """A template with values for some parameters; the others have their defaults."""

    def __init__(self, template: Mapping[str, Any], values: Mapping[str, str]) -> None:
        self.template = template
        known = template.get("Parameters", {})
        self.values = {name: one.get("Default") for name, one in known.items()} | dict(values)
        conditions = template.get("Conditions", {})
        self._holds = {name: self._condition(one) for name, one in conditions.items()}
        self.resources = self._present("Resources")
        self.outputs = self._present("Outputs")

    def unresolved(self, nested: Mapping[str, Combination]) -> list[str]:
        """Return the references that lead nowhere, given the stacks in this one."""
        found = []
        for name, one in {**self.resources, **self.outputs}.items():
            for target, attribute in references(one):
                if target in self.values or "::" in target:
                    continue
                if target not in self.resources:
                    found.append(f"{name}: {target} is not made")
                elif attribute.startswith("Outputs.") and target in nested:
                    output = attribute.removeprefix("Outputs.")
                    if output not in nested[target].outputs:
                        found.append(f"{name}: {target} has no output {output}")
        return found

    def wrong_parameters(self, name: str, nested: Combination) -> set[str]:
        """Return the parameters of a nested stack that are unknown to it, or missing."""
        given = set(self.resources[name]["Properties"].get("Parameters", {}))
        known = nested.template.get("Parameters", {})
        return (given - set(known)) | {
            one for one, about in known.items() if "Default" not in about and one not in given
        }

    def parameters_of(self, name: str) -> dict[str, str]:
        """Return the values that are known before anything is made, for the conditions inside."""
        given = self.resources[name]["Properties"].get("Parameters", {})
        return {one: str(self._value(value)) for one, value in given.items()}

    def _present(self, section: str) -> dict[str, Any]:
        return {
            name: self._without_branches(one)
            for name, one in self.template.get(section, {}).items()
            if self._holds.get(one.get("Condition"), True)
        }

    def _without_branches(self, part: Any) -> Any:  # noqa: ANN401 - any part of a template
        match part:
            case {"Fn::If": [condition, yes, no]}:
                return self._without_branches(yes if self._holds[condition] else no)
            case dict():
                every = {key: self._without_branches(one) for key, one in part.items()}
                return {key: one for key, one in every.items() if one != _NO_VALUE}
            case list():
                several = map(self._without_branches, part)
                return [one for one in several if one != _NO_VALUE]
        return part

    def _condition(self, part: Any) -> bool:  # noqa: ANN401 - as above
        match part:
            case {"Fn::Equals": [left, right]}:
                return str(self._value(left)) == str(self._value(right))
            case {"Fn::Not": [one]}:
                return not self._condition(one)
            case {"Fn::Or": several}:
                return any(map(self._condition, several))
            case {"Fn::And": several}:
                return all(map(self._condition, several))
            case {"Condition": name}:
                return self._condition(self.template["Conditions"][name])
        raise ValueError(f"no condition: {part}")

    def _value(self, part: Any) -> Any:  # noqa: ANN401 - as above
        match part:
            case {"Ref": name} if name in self.values:
                return self.values[name]
            case {"Fn::Join": [separator, {"Ref": name}]} if name in self.values:
                return separator.join(str(self.values[name]).split(","))
        return part


def references(part: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any part of a template
    """Yield what a part refers to: a name and, of a resource, an attribute."""
    match part:
        case {"Ref": name}:
            yield name, ""
        case {"Fn::GetAtt": [name, attribute]}:
            yield name, attribute
        case {"Fn::Sub": str(text)}:
            yield from _places(text, ())
        case {"Fn::Sub": [text, own]}:
            yield from _places(text, own)
            yield from references(list(own.values()))
        case dict():
            depends = part.get("DependsOn", [])
            for name in [depends] if isinstance(depends, str) else depends:
                yield name, ""
            yield from references([one for key, one in part.items() if key != "DependsOn"])
        case list():
            for one in part:
                yield from references(one)


def _places(text: str, own: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - a container
    for place in _PLACE.findall(text):
        name, _, attribute = place.partition(".")
        if name not in own:
            yield name, attribute
