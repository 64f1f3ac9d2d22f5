"""The AWS resources of the stack, made in the embedded AWS."""

from __future__ import annotations

from typing import Any, Final

import boto3

from local.environment import SENDER, aws_environment
from local.template import dynamodb_tables

_OF_CREATION: Final = (
    "TableName",
    "BillingMode",
    "AttributeDefinitions",
    "KeySchema",
    "GlobalSecondaryIndexes",
)


def create_resources(aws_url: str) -> None:
    """Create the DynamoDB tables of ``template.yaml`` and the e-mail identity in a fresh moto."""
    dynamodb = client("dynamodb", aws_url)
    for table in dynamodb_tables():
        dynamodb.create_table(**{name: table[name] for name in _OF_CREATION if name in table})
        dynamodb.update_time_to_live(
            TableName=table["TableName"],
            TimeToLiveSpecification=table["TimeToLiveSpecification"],
        )
    client("sesv2", aws_url).create_email_identity(EmailIdentity=SENDER)


def client(service: str, aws_url: str) -> Any:  # noqa: ANN401 - only DynamoDB's types are installed
    """Return boto3's client of a service of the embedded AWS."""
    environment = aws_environment(aws_url)
    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
