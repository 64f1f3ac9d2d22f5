"""The workflows of GitHub Actions: what they run exists, and the roles trust nobody else."""

from __future__ import annotations

import json
import os
import re
import subprocess
from fnmatch import fnmatch
from typing import Any, Final

import pytest
import yaml

from local.paths import ROOT

WORKFLOWS: Final = sorted((ROOT / ".github/workflows").glob("*.yml"))
ROLES: Final = ROOT / "infrastructure/ci/deploy-roles.yaml"
FOLDER_OF: Final = {"pip": "*.txt", "npm": "package.json", "github-actions": ".github/workflows"}
each_workflow: Final = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: str(path.name))


class Loader(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions as their values."""


def _value(loader: Loader, _suffix: str, node: yaml.Node) -> Any:  # noqa: ANN401 - any YAML
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return node.value


Loader.add_multi_constructor("!", _value)


def load(path: Any) -> dict[Any, Any]:  # noqa: ANN401 - a path
    found: dict[Any, Any] = yaml.load(path.read_text("utf-8"), Loader=Loader)  # noqa: S506 - it is a SafeLoader
    return found


def steps(path: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - a path
    return [step for job in load(path)["jobs"].values() for step in job["steps"]]


@each_workflow
def test_commands_of_a_workflow_exist(path: Any) -> None:  # noqa: ANN401 - a path
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    commands = "\n".join(step["run"] for step in steps(path) if "run" in step)

    made = set(re.findall(r"\bmake ([a-z-]+)", commands))

    assert made
    assert made <= targets
    assert all((ROOT / one).is_file() for one in re.findall(r"\bbin/[a-z-]+", commands))
    assert not re.search(r"https?://", path.read_text("utf-8"))


@each_workflow
def test_actions_have_exact_versions(path: Any) -> None:  # noqa: ANN401 - a path
    used = [step["uses"] for step in steps(path) if "uses" in step]

    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+", one) for one in used)


def test_workflow_has_the_node_version_of_the_devcontainer() -> None:
    (node,) = re.findall(
        r"^FROM node:(\d+)-", (ROOT / ".devcontainer/Dockerfile").read_text(), re.MULTILINE
    )
    versions = [
        step["with"]["node-version"]
        for step in steps(ROOT / ".github/workflows/test.yml")
        if step.get("uses", "").startswith("actions/setup-node@")
    ]

    assert versions == [node]


def test_only_the_job_that_deploys_gets_an_identity_and_it_has_an_environment() -> None:
    jobs = [job for path in WORKFLOWS for job in load(path)["jobs"].values()]
    trusted = [job for job in jobs if "id-token" in job.get("permissions", {})]

    assert all(load(path)["permissions"] == {"contents": "read"} for path in WORKFLOWS)
    assert len(trusted) == 1
    assert trusted[0]["environment"]


def test_deployment_may_omit_checks_of_the_preflight() -> None:
    job = load(ROOT / ".github/workflows/deploy.yml")["jobs"]["deploy"]

    made = subprocess.run(
        ["make", "--dry-run", "preflight"],  # noqa: S607 - from PATH
        cwd=ROOT,
        env={**os.environ, "WITHOUT": "text-sandbox text-spending"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert job["env"]["WITHOUT"] == "${{ vars.PREFLIGHT_WITHOUT }}"
    assert "--without text-sandbox --without text-spending" in made.stdout


@pytest.mark.parametrize("page", ["docs/operations.md", "docs/zh-CN/operations.md"])
def test_variables_of_the_workflows_are_documented(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    used = {
        name for path in WORKFLOWS for name in re.findall(r"\bvars\.(\w+)", path.read_text("utf-8"))
    }

    assert {name for name in used if f"`{name}`" not in text} == set()
    assert "PREFLIGHT_WITHOUT" in used


def test_dependabot_watches_files_that_exist() -> None:
    updates = load(ROOT / ".github/dependabot.yml")["updates"]

    assert {one["package-ecosystem"] for one in updates} == set(FOLDER_OF)
    for one in updates:
        for folder in one.get("directories", [one.get("directory")]):
            found = (ROOT / folder.strip("/")).glob(FOLDER_OF[one["package-ecosystem"]])
            assert any(found), folder


@pytest.fixture
def roles() -> dict[str, dict[str, Any]]:
    resources = load(ROLES)["Resources"]
    return {name: one["Properties"] for name, one in resources.items() if name.endswith("Role")}


def test_pipeline_is_trusted_for_one_environment_of_one_repository(
    roles: dict[str, dict[str, Any]],
) -> None:
    (trust,) = roles["PipelineExecutionRole"]["AssumeRolePolicyDocument"]["Statement"]

    issuer = "token.actions.githubusercontent.com"
    assert trust["Condition"] == {
        "StringEquals": {
            f"{issuer}:aud": "sts.amazonaws.com",
            f"{issuer}:sub": "repo:${Repository}:environment:${Environment}",
        }
    }


def test_pipeline_itself_can_create_only_change_sets(roles: dict[str, dict[str, Any]]) -> None:
    (policy,) = roles["PipelineExecutionRole"]["Policies"]
    statements = {one["Sid"]: one for one in policy["PolicyDocument"]["Statement"]}

    wide = [sid for sid, one in statements.items() if one["Resource"] == "*"]

    assert wide == ["Preflight"]
    reading = re.compile(r"\w+:(Get|Describe)\w+")
    assert all(reading.fullmatch(action) for action in statements["Preflight"]["Action"])
    assert not [one for one in statements.values() if "*" in str(one["Action"])]


def test_pipeline_may_ask_what_the_preflight_asks(roles: dict[str, dict[str, Any]]) -> None:
    (policy,) = roles["PipelineExecutionRole"]["Policies"]
    allowed = {
        action.partition(":")[2].lower()
        for one in policy["PolicyDocument"]["Statement"]
        for action in one["Action"]
    }
    source = "".join(path.read_text("utf-8") for path in (ROOT / "ops/preflight").glob("*.py"))
    asked = set(re.findall(r"\b(?:get|describe|list)_[a-z_]+(?=[\"(])", source))

    known = set(asked) - {"get_caller_identity", "get_paginator"}  # which need no permission
    assert {"describe_orderable_db_instance_options", "get_account_settings"} <= known
    assert {one for one in known if one.replace("_", "") not in allowed} == set()


def operators_of_the_document() -> list[dict[str, Any]]:
    page = (ROOT / "docs/operations-interface.md").read_text("utf-8")
    (policy,) = re.findall(r"```json\n(\{\"Version.*?)```", page, re.DOTALL)
    found: list[dict[str, Any]] = json.loads(policy)["Statement"]
    return found


def test_operator_cannot_call_the_operations_function_with_an_event_of_their_own(
    roles: dict[str, dict[str, Any]],
) -> None:
    """Only the event of the function URL has the caller that Lambda has verified."""
    (policy,) = roles["PipelineExecutionRole"]["Policies"]
    statements = [*policy["PolicyDocument"]["Statement"], *operators_of_the_document()]

    direct = [one for one in statements if "lambda:InvokeFunction" in one["Action"]]
    invoking = [one for one in direct if one["Action"] != "lambda:InvokeFunctionUrl"]

    assert len(invoking) == 2
    assert [one["Condition"] for one in invoking] == [
        {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}
    ] * 2


def test_cloudformation_creates_only_roles_of_the_stack(roles: dict[str, dict[str, Any]]) -> None:
    (policy,) = roles["CloudFormationExecutionRole"]["Policies"]
    statements = policy["PolicyDocument"]["Statement"]

    for one in statements:
        if "iam:" in str(one["Action"]) and one["Sid"] != "ServiceLinkedRoles":
            assert all("/${StackName}-*" in arn for arn in one["Resource"])
        assert one["Resource"] != "*" or "aws:RequestedRegion" in str(one["Condition"])


@pytest.mark.parametrize(
    "action",
    [
        # All three "scoped to *": AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
        "cloudwatch:PutCompositeAlarm",
        "cloudwatch:DescribeAlarms",
        "cloudwatch:DeleteAlarms",
        # The access log of the HTTP API: apigateway/latest/developerguide/http-api-logging.html
        "logs:CreateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:UpdateLogDelivery",
        # The administrator's secret: AmazonRDS/latest/UserGuide/rds-secrets-manager.html
        "kms:DescribeKey",
        "secretsmanager:CreateSecret",
        "secretsmanager:TagResource",
        # CloudFormation reads the tables that it has made.
        "dynamodb:DescribeContributorInsights",
        "dynamodb:DescribeKinesisStreamingDestination",
        "dynamodb:GetResourcePolicy",
    ],
)
def test_cloudformation_may_do_for_every_resource_what_aws_allows_only_so(
    action: str, roles: dict[str, dict[str, Any]]
) -> None:
    (policy,) = roles["CloudFormationExecutionRole"]["Policies"]
    wide = [one for one in policy["PolicyDocument"]["Statement"] if one["Resource"] == "*"]

    assert any(fnmatch(action, allowed) for one in wide for allowed in one["Action"])
