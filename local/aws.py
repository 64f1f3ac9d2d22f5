"""The embedded AWS (moto): creates the stack's resources and returns the messages it has sent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import boto3
import httpx

from local.environment import SENDER, aws_environment
from local.template import dynamodb_tables

_CREATE_TABLE_ARGUMENTS: Final = (
    "TableName",
    "BillingMode",
    "AttributeDefinitions",
    "KeySchema",
    "GlobalSecondaryIndexes",
)
# docs.getmoto.org/en/latest/docs/server_mode.html#data-api
_DATA_PATH: Final = "/moto-api/data.json"
_DATA_TIMEOUT_SECONDS: Final = 30


def create_resources(aws_url: str) -> None:
    """Create the DynamoDB tables of ``template.yaml`` and the e-mail identity in a fresh moto."""
    dynamodb = aws_client("dynamodb", aws_url)
    for table in dynamodb_tables():
        arguments = {name: table[name] for name in _CREATE_TABLE_ARGUMENTS if name in table}
        dynamodb.create_table(**arguments)
        dynamodb.update_time_to_live(
            TableName=table["TableName"],
            TimeToLiveSpecification=table["TimeToLiveSpecification"],
        )
    aws_client("sesv2", aws_url).create_email_identity(EmailIdentity=SENDER)


@cache  # making one takes longer than several requests
def aws_client(service: str, aws_url: str) -> Any:  # noqa: ANN401 - only DynamoDB's types are installed
    """Return the boto3 client for a service of the embedded AWS."""
    environment = aws_environment(aws_url)
    return boto3.client(
        service,  # type: ignore[call-overload]  # only DynamoDB's types are installed
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )


@dataclass(frozen=True, slots=True)
class SentMail:
    """A sent e-mail; of its text and HTML parts moto keeps the HTML."""

    to: str
    subject: str
    html: str


@dataclass(frozen=True, slots=True)
class SentSms:
    """A sent text message."""

    to: str
    text: str


@dataclass(frozen=True, slots=True)
class SentMessages:
    """The e-mails and text messages sent since moto started, oldest first."""

    mails: list[SentMail]
    sms: list[SentSms]


def sent_messages_url(aws_url: str) -> str:
    """Return the address of moto's data, which has the messages in ``ses`` and ``sns``."""
    return aws_url + _DATA_PATH


def sent_messages(aws_url: str) -> SentMessages:
    """Return the messages that the embedded AWS has sent.

    Raises:
        httpx.HTTPError: moto cannot be reached.
    """
    url = sent_messages_url(aws_url)
    response = httpx.get(url, timeout=_DATA_TIMEOUT_SECONDS).raise_for_status()
    data: dict[str, Any] = response.json()
    mails = data.get("ses", {}).get("Message", [])
    sms = data.get("sns", {}).get("SMS", [])
    return SentMessages(
        [SentMail(_recipients(item), item["subject"], item["body"]) for item in mails],
        [SentSms(item["phone_number"], item["message"]) for item in sms],
    )


def _recipients(mail: dict[str, Any]) -> str:
    return ", ".join(mail["destinations"]["ToAddresses"])
