"""User and password of a database or broker account, from where the settings say."""

from __future__ import annotations

import json
from typing import NamedTuple


class Credentials(NamedTuple):
    """An account."""

    user: str
    password: str


def from_secret(arn: str) -> Credentials:
    """Read ``{"username", "password"}`` from Secrets Manager.

    Raises:
        botocore.exceptions.ClientError: the secret is missing or must not be read.
        KeyError: it holds something else.
    """
    import boto3  # noqa: PLC0415 - 300 ms of cold start that only a secret needs

    client = boto3.client("secretsmanager")
    secret = json.loads(client.get_secret_value(SecretId=arn)["SecretString"])
    return Credentials(secret["username"], secret["password"])


def iam_token(host: str, port: int, user: str) -> str:
    """Return an RDS authentication token, signed locally, valid for 15 minutes.

    See https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html.
    """
    import boto3  # noqa: PLC0415 - likewise

    client = boto3.client("rds")
    token: str = client.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user)
    return token
