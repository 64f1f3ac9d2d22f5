"""A template as CloudFormation receives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


NO_VALUE: Final = {"Ref": "AWS::NoValue"}


@dataclass(frozen=True)
class Stack:
    """The resources, by logical id, and the mappings of a template after the transforms."""

    resources: dict[str, dict[str, Any]]
    mappings: dict[str, Any]

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the properties of each resource of a type."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] == kind
        }

    @property
    def functions(self) -> dict[str, dict[str, Any]]:
        """Return the properties of each function."""
        return self.of_type("AWS::Lambda::Function")

    @property
    def roles(self) -> dict[str, dict[str, Any]]:
        """Return the properties of each role."""
        return self.of_type("AWS::IAM::Role")

    def statements(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield each policy statement, with both branches of an If, and the id of its owner."""
        for name, document in self._policies():
            for statement in document["Statement"]:
                for branch in statement.get("Fn::If", [None, statement])[1:]:
                    if branch != NO_VALUE:
                        yield name, branch

    def _policies(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for kind in ("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"):
            for name, policy in self.of_type(kind).items():
                yield name, policy["PolicyDocument"]
        for name, role in self.roles.items():
            for policy in role["Policies"]:
                yield name, policy["PolicyDocument"]
