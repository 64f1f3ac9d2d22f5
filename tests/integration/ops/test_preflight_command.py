"""`make preflight` against the embedded AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from local.aws import aws_client
from local.environment import aws_environment
from local.paths import ROOT
from ops.preflight.checks import CHECKS
from ops.preflight.deployment import Deployment


def preflight(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
    return subprocess.run(
        [sys.executable, "-m", "ops.preflight", *options],
        cwd=ROOT,
        env={**kept, **nowhere, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_check_prints_a_line(aws_url: str) -> None:
    done = preflight("default", **aws_environment(aws_url))

    lines = done.stdout.splitlines()
    assert "ok       account 123456789012" in lines[0]
    for name in CHECKS:
        (line,) = (one for one in lines if f"  {name}: " in one)
        assert line.split()[0] in {"ok", "WRONG"}
    assert "WRONG    sender: EmailFrom is missing" in done.stdout
    assert "WRONG    text-sandbox: cannot be checked: " in done.stdout  # moto answers with a page
    assert done.returncode == 1


def test_omitted_checks_do_not_stop_a_deployment(aws_url: str) -> None:
    options = (word for name in CHECKS for word in ("--without", name))

    assert preflight("prod", *options, **aws_environment(aws_url)).returncode == 0


def test_missing_region_is_named() -> None:
    done = preflight("default")

    assert "no region: set AWS_REGION" in done.stderr
    assert done.returncode == 1


def test_missing_credentials_are_named() -> None:
    done = preflight("default", AWS_REGION="eu-west-1", AWS_EC2_METADATA_DISABLED="true")

    assert "no valid credentials: Unable to locate credentials" in done.stderr
    assert done.returncode == 1


def test_missing_profile_is_named() -> None:
    done = preflight("default", AWS_PROFILE="nobody")

    assert done.stderr.endswith(
        "The config profile (nobody) could not be found; see aws sts get-caller-identity\n"
    )
    assert done.returncode == 1


def test_misspelt_check_is_not_omitted() -> None:
    misspelt, unlike = (preflight("default", "--without", one) for one in ("txt-sandbox", "x"))

    assert "no check txt-sandbox: did you mean text-sandbox?" in misspelt.stderr
    assert f"no check x: there are {', '.join(CHECKS)}" in unlike.stderr
    assert {misspelt.returncode, unlike.returncode} == {2}


def test_existing_stack_is_found(aws_url: str) -> None:
    without = (word for name in CHECKS if name != "tables" for word in ("--without", name))
    cloudformation = aws_client("cloudformation", aws_url)
    template = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    name = Deployment.of("prod").stack_name
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))

    done = preflight("prod", *without, **aws_environment(aws_url))
    cloudformation.delete_stack(StackName=name)

    assert "ok       tables: the stack exists with its tables" in done.stdout


def test_region_may_be_in_either_variable(aws_url: str) -> None:
    without = (word for name in CHECKS for word in ("--without", name))
    variables = aws_environment(aws_url)
    region = variables.pop("AWS_DEFAULT_REGION")

    done = preflight("default", *without, **variables)

    assert f"ok       account 123456789012, {region}" in done.stdout
    assert done.returncode == 0


def test_unknown_environment_is_named() -> None:
    assert (
        "samconfig.toml has no section staging: there are default, prod"
        in preflight("staging").stderr
    )
    assert "samconfig.toml has no section prd: did you mean prod?" in preflight("prd").stderr
