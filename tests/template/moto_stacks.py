"""Creates the stacks of a deployment in moto's CloudFormation, the inner ones first.

moto has a part of the resource types. References to the others become literals of the same form.
Its nested stacks have no outputs, so each is created as a stack of its own; moto evaluates the
parameters that it is given as the outputs of another one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tests.template.combination import NESTED, Combination, references

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    Resources = Mapping[str, dict[str, Any]]

MADE: Final = frozenset(
    {
        *("AWS::CloudWatch::Dashboard", "AWS::DynamoDB::Table", "AWS::Events::Rule"),
        *(
            "AWS::EC2::EIP",
            "AWS::EC2::FlowLog",
            "AWS::EC2::InternetGateway",
            "AWS::EC2::NatGateway",
        ),
        *("AWS::EC2::Route", "AWS::EC2::RouteTable", "AWS::EC2::SecurityGroup"),
        *("AWS::EC2::SecurityGroupIngress", "AWS::EC2::Subnet", "AWS::EC2::VPC"),
        *("AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::VPCEndpoint"),
        *("AWS::EC2::VPCGatewayAttachment", "AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"),
        *("AWS::IAM::Role", "AWS::Lambda::Function", "AWS::Lambda::LayerVersion"),
        *("AWS::Lambda::Permission", "AWS::Lambda::Version", "AWS::Logs::LogGroup"),
        *("AWS::RDS::DBInstance", "AWS::RDS::DBParameterGroup", "AWS::RDS::DBSubnetGroup"),
        "AWS::SNS::Topic",
    }
)
"""What moto makes. It also has AWS::Lambda::EventSourceMapping, but not for Amazon MQ; and none of
alarms, HTTP and WebSocket APIs, aliases, function URLs, secrets, Amazon MQ, Cognito, CodeDeploy."""

_ARN: Final = "arn:aws:{}:us-east-1:123456789012:{}"
_LITERALS: Final[dict[tuple[str, str], Any]] = {
    ("AWS::AmazonMQ::Broker", "AmqpEndpoints"): ["amqps://b-1.mq.us-east-1.on.aws:5671"],
    ("AWS::AmazonMQ::Broker", "Arn"): _ARN.format("mq", "broker:name:b-1"),
    ("AWS::RDS::DBInstance", "DbiResourceId"): "db-1",
    ("AWS::RDS::DBInstance", "MasterUserSecret.SecretArn"): _ARN.format(
        "secretsmanager", "secret:admin-a1b2c3"
    ),
    ("AWS::SecretsManager::Secret", ""): _ARN.format("secretsmanager", "secret:one-a1b2c3"),
}
"""By type and attribute: references whose form matters, and attributes that moto lacks."""
_LEFT_OUT: Final = {"AWS::RDS::DBInstance": "DBParameterGroupName"}
"""A property in which moto does not accept a reference."""
_PLACE: Final = re.compile(r"\$\{(\w+)(?:\.([\w.]+))?\}")
_PROBE: Final = {"Topic": {"Type": "AWS::SNS::Topic"}}


@dataclass(frozen=True)
class Made:
    """A stack that was created."""

    combination: Combination
    resources: list[str]
    """Their types."""
    outputs: dict[str, str]


@dataclass
class MotoStacks:
    """The stacks of one deployment."""

    cloudformation: Any
    templates: Mapping[str, dict[str, Any]]
    made: dict[str, Made] = field(default_factory=dict)
    """By their names."""

    def create(self, path: str, values: Mapping[str, str], name: str = "made") -> dict[str, str]:
        """Create the stack of a template and those in it, and return its outputs."""
        template = self.templates[path]
        combination = Combination(template, values)
        nested = {n: one for n, one in combination.resources.items() if one["Type"] == NESTED}
        known: dict[str, dict[str, str]] = {}
        while len(known) < len(nested):
            inner = next(n for n in nested if n not in known and _ready(nested, n, known))
            properties = template["Resources"][inner]["Properties"]
            parameters = self._evaluate(
                f"{name}-{inner}-parameters", combination, properties.get("Parameters", {}), known
            )
            url = properties["TemplateURL"].removesuffix(".yaml")
            inner_path = url if "/" in url else f"infrastructure/{url}"
            known[inner] = self.create(inner_path, parameters, f"{name}-{inner}")
        content = _Reduction(combination.resources, MADE, known)
        body = {"Resources": content.resources(), "Outputs": content.of(combination.outputs)}
        outputs = self._stack(name, template, body, values)
        found = self.cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        self.made[name] = Made(combination, [one["ResourceType"] for one in found], outputs)
        return outputs

    def _evaluate(
        self,
        name: str,
        combination: Combination,
        expressions: Mapping[str, Any],
        known: dict[str, dict[str, str]],
    ) -> dict[str, str]:
        every = _Reduction(combination.template["Resources"], frozenset(), known)
        outputs = {key: {"Value": every.of(one)} for key, one in expressions.items()}
        body = {"Resources": _PROBE, "Outputs": outputs}
        return self._stack(name, combination.template, body, combination.values)

    def _stack(
        self,
        name: str,
        template: Mapping[str, Any],
        body: dict[str, Any],
        values: Mapping[str, Any],
    ) -> dict[str, str]:
        parameters = dict(template.get("Parameters", {}))
        if "Shards" in parameters:  # moto does not find a number in a mapping
            parameters["Shards"] = {"Type": "String"}
        kept = {key: template[key] for key in ("Conditions", "Mappings") if key in template}
        self.cloudformation.create_stack(
            StackName=name,
            TemplateBody=json.dumps({**kept, **body, "Parameters": parameters}),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": str(value)}
                for key, value in Combination(template, values).values.items()
                if value is not None
            ],
        )
        (stack,) = self.cloudformation.describe_stacks(StackName=name)["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE", (name, stack)
        return {one["OutputKey"]: one["OutputValue"] for one in stack.get("Outputs", ())}


def _ready(nested: Resources, name: str, known: Collection[str]) -> bool:
    """Return whether a nested stack refers to no other one that is not yet created."""
    used = {target for target, _ in references(nested[name]["Properties"])}
    return not used & (nested.keys() - {name} - set(known))


@dataclass
class _Reduction:
    """A template without the resources that are not made."""

    every: Resources
    kinds: Collection[str]
    outputs: Mapping[str, Mapping[str, str]]

    def resources(self) -> dict[str, Any]:
        found = {}
        for name, one in self.every.items():
            if one["Type"] in self.kinds:
                found[name] = self.of(
                    {key: part for key, part in one.items() if key != "DependsOn"}
                )
                found[name].get("Properties", {}).pop(_LEFT_OUT.get(one["Type"]), None)
        return found

    def of(self, part: Any) -> Any:  # noqa: ANN401, PLR0911 - any part; a case a function
        match part:
            case {"Ref": name} if self._is_literal(name, ""):
                return self._literal(name, "")
            case {"Fn::GetAtt": [name, attribute]} if self._is_literal(name, attribute):
                return self._literal(name, attribute)
            case {"Fn::Sub": str(text)}:
                return self._sub(text, {})
            case {"Fn::Sub": [text, own]}:
                return self._sub(text, self.of(own))
            case dict():
                return {key: self.of(one) for key, one in part.items()}
            case list():
                return [self.of(one) for one in part]
            case str() if "${" in part:  # what the transform of operations.yaml left of Fn::Sub
                return self._sub(part, {})
        return part

    def _sub(self, text: str, own: dict[str, Any]) -> dict[str, Any]:
        """Return an Fn::Sub without references to attributes: moto does not find nested ones."""
        own = dict(own)

        def named(match: re.Match[str]) -> str:
            name, attribute = match[1], match[2] or ""
            if name not in self.every or name in own:
                return match[0]
            key = re.sub(r"\W", "", f"{name}{attribute}")
            reference = {"Fn::GetAtt": [name, attribute]} if attribute else {"Ref": name}
            own[key] = self.of(reference)
            return f"${{{key}}}"

        return {"Fn::Sub": [_PLACE.sub(named, text), own]}

    def _is_literal(self, name: str, attribute: str) -> bool:
        if name not in self.every:
            return False
        kind = self.every[name]["Type"]
        return kind not in self.kinds or (kind, attribute) in _LITERALS

    def _literal(self, name: str, attribute: str) -> Any:  # noqa: ANN401 - a text or a list
        if name in self.outputs:
            return self.outputs[name][attribute.removeprefix("Outputs.")]
        kind = self.every[name]["Type"]
        if kind == "AWS::Lambda::Alias" and self.kinds:
            function = self.every[name]["Properties"]["FunctionName"]["Ref"]
            return {"Fn::GetAtt": [function, "Arn"]}
        return _LITERALS.get((kind, attribute), f"{name}.{attribute}" if attribute else name)
