"""The DynamoDB tables of the embedded AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3

from local.environment import aws_environment
from local.template import function_variable

if TYPE_CHECKING:
    from types_boto3_dynamodb.service_resource import Table


def dynamodb_table(aws_url: str, variable: str) -> Table:
    """Return the table whose name the functions read from an environment variable."""
    environment = aws_environment(aws_url)
    dynamodb = boto3.resource(
        "dynamodb",
        endpoint_url=aws_url,
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    return dynamodb.Table(function_variable(variable))
