"""samconfig.toml serves plain sam commands, for both environments."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.aws import aws_client
from local.environment import aws_environment
from local.paths import ROOT
from tests.template.conftest import HERE, SAM_PYTHON

CONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text("utf-8"))
STACKS = {"default": "cloudphone-scheduler-dev", "prod": "cloudphone-scheduler"}
DEFAULT_ARCHITECTURE = "x86_64"
TEMPLATE = """\
Transform: AWS::Serverless-2016-10-31
Parameters:
  LogRetentionDays: {Type: Number}
Resources:
  Topic: {Type: AWS::SNS::Topic}
Outputs:
  Retention: {Value: !Ref LogRetentionDays}
"""
# sam looks for the bucket for uploads in this stack, and creates it with a resource moto lacks.
BUCKET_STACK = "aws-sam-cli-managed-default"
BUCKET_TEMPLATE = {
    "Resources": {"Bucket": {"Type": "AWS::S3::Bucket"}},
    "Outputs": {"SourceBucket": {"Value": {"Ref": "Bucket"}}},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration beside a small template, which is deployed within a second."""
    made = tmp_path_factory.mktemp("sam")
    shutil.copy(ROOT / "samconfig.toml", made)
    (made / "template.yaml").write_text(TEMPLATE)
    return made


@pytest.fixture
def bucket(aws_url: str) -> Iterator[None]:
    cloudformation = aws_client("cloudformation", aws_url)
    cloudformation.create_stack(
        StackName=BUCKET_STACK,
        TemplateBody=json.dumps(BUCKET_TEMPLATE),
        Tags=[{"Key": "ManagedStackSource", "Value": "AwsSamCli"}],
    )
    yield
    cloudformation.delete_stack(StackName=BUCKET_STACK)


def run(folder: Path, aws_url: str, *commands: str) -> dict[str, tuple[int, str]]:
    """Run sam commands against the embedded AWS."""
    if not SAM_PYTHON.exists():
        pytest.fail(".venv-sam is missing: run `make validate`, which makes it")
    done = subprocess.run(
        [SAM_PYTHON, HERE / "sam_commands.py", folder, *commands],
        env={**os.environ, **aws_environment(aws_url), "SAM_CLI_TELEMETRY": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, tuple[int, str]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.usefixtures("bucket")
def test_plain_commands_reach_the_stack_of_their_environment(folder: Path, aws_url: str) -> None:
    plain = ("build", "deploy", "sync --no-watch", "stack-outputs", "logs", "delete --no-prompts")
    chosen = {"default": "", "prod": " --config-env prod"}
    lines = {
        (environment, command): command + option
        for environment, option in chosen.items()
        for command in plain
    }

    found = run(folder, aws_url, *lines.values())

    for (environment, command), line in lines.items():
        code, output = found[line]
        if command == "build":
            assert code == 0, output
        else:  # moto cannot read templates from the bucket, so there is no stack
            assert re.search(rf"\b{STACKS[environment]}(?![\w-])", output), (line, output)
        if command in {"deploy", "sync --no-watch"}:
            assert "when calling the Create" in output, (line, output)


def section(environment: str, command: str) -> dict[str, Any]:
    found: dict[str, Any] = CONFIG[environment][command]["parameters"]
    return found


@pytest.mark.parametrize("environment", STACKS)
def test_every_command_has_the_same_stack_and_parameters(environment: str) -> None:
    shared = section(environment, "global")

    assert shared["stack_name"] == STACKS[environment]
    assert shared["language_extensions"]
    for command in CONFIG[environment].keys() - {"global"}:
        assert not shared.keys() & section(environment, command).keys()


@pytest.mark.parametrize("environment", STACKS)
def test_deployment_does_not_wait_for_an_answer(environment: str) -> None:
    deploy = section(environment, "deploy")

    assert not deploy["confirm_changeset"]
    assert not deploy["fail_on_empty_changeset"]


def test_environments_have_sections_for_the_same_commands() -> None:
    assert CONFIG["default"].keys() == CONFIG["prod"].keys()


@pytest.mark.parametrize("environment", STACKS)
def test_make_deploy_builds_for_the_architecture_that_is_deployed(environment: str) -> None:
    given = dict(one.split("=") for one in section(environment, "global")["parameter_overrides"])
    deployed = given.get("Architecture", DEFAULT_ARCHITECTURE)

    steps = subprocess.run(
        ["make", "--dry-run", "deploy", f"ENVIRONMENT={environment}"],  # noqa: S607 - from PATH
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert f"build ARCHITECTURE={deployed}\n" in steps
    assert f"deploy --config-env {environment}\n" in steps


def test_architecture_without_configuration_is_that_of_plain_sam(
    expanded: dict[str, dict[str, Any]],
) -> None:
    assert expanded["template"]["Parameters"]["Architecture"]["Default"] == DEFAULT_ARCHITECTURE
