"""A new version of the API gets its requests step by step, and only if it can be published."""

import json
import re
from typing import Any

import pytest

from tests.template.stack import Stack

API = "AllocationApiFunction"
ALIAS = "AllocationApiFunctionAliaslive"
CODE = {"Architectures", "Environment", "Layers", "TracingConfig", "VpcConfig"}
"""Properties that are not written in the template as they are."""
SAME_FOR_ALL = {
    *("AWS::Region", "AWS::URLSuffix"),
    "DatabaseBySecret",  # follows from DatabaseSecretArn
    "HasXRay",
}


def named(expression: Any) -> set[str]:  # noqa: ANN401 - any expression
    """Return the parameters, resources and outputs that an expression refers to."""
    text = json.dumps(expression)
    outputs = re.findall(r'"Fn::GetAtt": \["(\w+)", "([\w.]+)"\]', text)
    names = re.findall(r'"Ref": "([\w:]+)"', text) + re.findall(r"\$\{([\w.:]+)\}", text)
    names += re.findall(r'"Fn::If": \["(\w+)"', text)
    return {*names, *(f"{name}.{attribute}" for name, attribute in outputs)}


@pytest.fixture
def version(stack: Stack) -> str:
    (name,) = (n for n in stack.of_type("AWS::Lambda::Version") if n.startswith(API))
    return name


def test_whatever_configures_the_api_publishes_a_version(stack: Stack, version: str) -> None:
    """SAM does so for code and template; a parameter, an output or the layer has to be listed."""
    function = stack.functions[API]
    listed = stack.resources["Provisioning"]["Properties"]["ApiConfiguration"]

    used = named({name: function.get(name) for name in CODE})

    assert used - SAME_FOR_ALL <= named(listed)
    assert stack.resources[version]["Properties"]["Description"] == {
        "Fn::GetAtt": ["Provisioning", "ApiRevision"]
    }


def test_requests_go_to_the_alias_which_only_the_http_api_may_call(stack: Stack) -> None:
    (api,) = (one for name, one in stack.resources.items() if name == "HttpApi")
    permissions = stack.of_type("AWS::Lambda::Permission")
    own = [one for name, one in permissions.items() if name.startswith(API)]

    uris = re.findall(r"functions/\$\{(\w+)\}/invocations", json.dumps(api))

    assert set(uris) == {ALIAS}
    assert len(own) == len(uris)
    assert all(one["FunctionName"] == {"Ref": ALIAS} for one in own)


def test_new_version_is_watched_and_rolled_back(stack: Stack, version: str) -> None:
    (group,) = stack.of_type("AWS::CodeDeploy::DeploymentGroup").values()
    alarms = stack.of_type("AWS::CloudWatch::Alarm")

    watched = [one["Name"]["Ref"] for one in group["AlarmConfiguration"]["Alarms"]]

    assert sorted(watched) == sorted(alarms)
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    assert "UpdatePolicy" in stack.resources[ALIAS]
    for alarm in alarms.values():
        # Errors of the old version, or of yesterday's, must not stop the new one.
        values = [one["Value"] for one in alarm["Dimensions"]]
        assert {"Fn::GetAtt": [version, "Version"]} in values
        assert alarm["TreatMissingData"] == "notBreaching"
        # An alarm keeps its state when its dimensions change; under another name, it is another.
        _, names = alarm["AlarmName"]["Fn::Sub"]
        assert {"Fn::GetAtt": [version, "Version"]} in names.values()


def test_version_of_a_deployment_that_was_rolled_back_does_not_stay(stack: Stack) -> None:
    """Lambda would refuse to publish an equal one when the deployment is tried again."""
    versions = [one for one in stack.resources.values() if one["Type"] == "AWS::Lambda::Version"]

    assert len(versions) == 2
    for one in versions:
        assert one["DeletionPolicy"] == one["UpdateReplacePolicy"] == "Delete"


def test_rollout_may_shift_only_the_alias_of_the_api(stack: Stack) -> None:
    role = stack.roles["ApiRolloutRole"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    statements = role["Policies"][0]["PolicyDocument"]["Statement"]

    assert trust["Principal"] == {"Service": "codedeploy.amazonaws.com"}
    (changing,) = (one for one in statements if "lambda:UpdateAlias" in one["Action"])
    assert named(changing["Resource"]) == {f"{API}.Arn"}


def test_functions_behind_mappings_have_no_alias(stack: Stack) -> None:
    """docs/decisions.md, 50: traffic of a queue cannot be split between versions."""
    for mapping in stack.of_type("AWS::Lambda::EventSourceMapping").values():
        assert mapping["FunctionName"]["Ref"] in stack.functions
