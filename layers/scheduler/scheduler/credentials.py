"""Reads database or broker credentials from Secrets Manager, or signs an IAM token."""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class CredentialsUnavailableError(Exception):
    """The credentials cannot be read now; treated as an outage of their server."""


class Credentials(NamedTuple):
    """User and password of an account."""

    user: str
    password: str


def from_secret(arn: str) -> Credentials:
    """Read ``{"username", "password"}`` from Secrets Manager.

    Raises:
        CredentialsUnavailableError: Secrets Manager is unreachable, or the secret is missing,
            unreadable or malformed.
    """
    secret = read_secret(arn)
    try:
        return Credentials(secret["username"], secret["password"])
    except (KeyError, TypeError) as error:
        raise CredentialsUnavailableError(f"{arn}: {type(error).__name__} {error}") from error


def read_secret(arn: str) -> dict[str, Any]:
    """Read a JSON object from Secrets Manager.

    Raises:
        CredentialsUnavailableError: Secrets Manager is unreachable, or the secret is missing,
            unreadable or not JSON.
    """
    import boto3  # noqa: PLC0415 - 300 ms of cold start that only a secret needs
    from botocore.config import Config  # noqa: PLC0415 - as above
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above

    quick = Config(
        connect_timeout=2, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 2}
    )
    try:
        client = boto3.client("secretsmanager", config=quick)
        secret: dict[str, Any] = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
    except (BotoCoreError, ClientError, KeyError, ValueError) as error:
        raise CredentialsUnavailableError(f"{arn}: {type(error).__name__} {error}") from error
    return secret


def iam_token(host: str, port: int, user: str) -> str:
    """Return an RDS authentication token, signed locally, valid for 15 minutes.

    See https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html.

    Raises:
        CredentialsUnavailableError: the function has no AWS credentials to sign with.
    """
    import boto3  # noqa: PLC0415 - as above
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above

    try:
        client = boto3.client("rds")
        token: str = client.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user)
    except (BotoCoreError, ClientError) as error:
        raise CredentialsUnavailableError(f"IAM token: {type(error).__name__} {error}") from error
    return token
