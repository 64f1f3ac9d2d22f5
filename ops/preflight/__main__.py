"""``python -m ops.preflight default``: checks whether the account is ready for a deployment."""

from __future__ import annotations

from typing import Annotated

import boto3
import typer
from botocore.exceptions import ClientError

from operations.errors import InvalidInputError, OpsError
from operations.suggestions import hint
from ops.aws_session import AWS_ERRORS, aws_session
from ops.preflight.checks import CHECKS, Account, run
from ops.preflight.deployment import Deployment
from ops.terminal import handled_errors


def main(
    environment: Annotated[str, typer.Argument(help="Section of samconfig.toml.")] = "default",
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="CHECK", help=f"Omit a check: {', '.join(CHECKS)}."),
    ] = None,
) -> None:
    """Print a line for each check, green or red with what to do. Exit code 1 if one is red."""
    omitted = set(without or ())
    with handled_errors(as_json=False):
        for unknown in sorted(omitted - CHECKS.keys()):
            raise InvalidInputError(f"no check {unknown}: {hint(unknown, CHECKS)}")
        deployment = Deployment.of(environment)
        account = account_of(deployment)
    failed = False
    for name in CHECKS:
        if name in omitted:
            typer.secho(f"  omitted  {name}", fg="yellow")
            continue
        found = run(name, account, deployment)
        failed |= not found.ok
        mark, colour = ("ok", "green") if found.ok else ("WRONG", "red")
        typer.secho(f"  {mark:7}  {name}: {found.text}", fg=colour)
    if failed:
        typer.echo('Not ready. To deploy nevertheless, omit a check: WITHOUT="text-sandbox …"')
        raise typer.Exit(1)


def account_of(deployment: Deployment) -> Account:
    """Return the account and region of the environment's credentials.

    Raises:
        OpsError: there are no valid credentials, or no region.
    """
    try:
        session = boto3.session.Session(botocore_session=aws_session())
        if not session.region_name:
            raise OpsError("no region: set AWS_REGION, or AWS_PROFILE to a profile with a region")
        identity = session.client("sts").get_caller_identity()
        typer.secho(f"  ok       account {identity['Account']}, {session.region_name}", fg="green")
        exists = _stack_exists(session, deployment.stack_name)
    except AWS_ERRORS as error:
        raise OpsError(f"no valid credentials: {error}; see aws sts get-caller-identity") from None
    return Account(session.region_name, session.client, exists)  # type: ignore[arg-type]  # only DynamoDB's types are installed


def _stack_exists(session: boto3.session.Session, name: str) -> bool:
    try:
        session.client("cloudformation").describe_stacks(StackName=name)
    except ClientError as error:
        if "does not exist" in str(error):
            return False
        raise
    return True


if __name__ == "__main__":
    typer.run(main)
