"""Errors of SES, SNS and API Gateway, told apart."""

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from notification_dispatch.channels import email, sms, websocket
from notification_dispatch.channels.provider import Troubles, provider_error
from scheduler.outbox.trouble import Trouble

URL = "https://email.example.com"


def client_error(code: str, status: int = 400, message: str = "") -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "RequestId": "r",
                "HostId": "h",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        "SendEmail",
    )


@pytest.mark.parametrize(
    ("troubles", "code", "status", "trouble"),
    [
        (email.TROUBLES, "MessageRejected", 400, Trouble.PERMANENT),
        (email.TROUBLES, "BadRequestException", 400, Trouble.PERMANENT),
        (email.TROUBLES, "TooManyRequestsException", 429, Trouble.THROTTLED),
        (email.TROUBLES, "LimitExceededException", 400, Trouble.THROTTLED),
        (email.TROUBLES, "SendingPausedException", 400, Trouble.TRANSIENT),
        (email.TROUBLES, "AccountSuspendedException", 400, Trouble.TRANSIENT),
        (email.TROUBLES, "MailFromDomainNotVerifiedException", 400, Trouble.TRANSIENT),
        (email.TROUBLES, "InternalFailure", 500, Trouble.TRANSIENT),
        (email.TROUBLES, "AccessDeniedException", 403, Trouble.TRANSIENT),
        (email.TROUBLES, "ExpiredTokenException", 400, Trouble.TRANSIENT),
        (email.TROUBLES, "SomethingNewException", 400, Trouble.PERMANENT),
        (email.TROUBLES, "SomethingNewException", 403, Trouble.TRANSIENT),
        (email.TROUBLES, "SomethingNewException", 429, Trouble.THROTTLED),
        (email.TROUBLES, "599", 599, Trouble.TRANSIENT),
        (sms.TROUBLES, "InvalidParameter", 400, Trouble.PERMANENT),
        (sms.TROUBLES, "Throttled", 429, Trouble.THROTTLED),
        (sms.TROUBLES, "Throttling", 400, Trouble.THROTTLED),
        (sms.TROUBLES, "AuthorizationError", 403, Trouble.TRANSIENT),
        (sms.TROUBLES, "InternalError", 500, Trouble.TRANSIENT),
        (websocket.TROUBLES, "PayloadTooLargeException", 413, Trouble.PERMANENT),
        (websocket.TROUBLES, "LimitExceededException", 429, Trouble.RECIPIENT_BUSY),
        (websocket.TROUBLES, "ForbiddenException", 403, Trouble.TRANSIENT),
    ],
)
def test_an_error_code_says_what_to_do(
    troubles: Troubles, code: str, status: int, trouble: Trouble
) -> None:
    assert provider_error(client_error(code, status), troubles).trouble is trouble


@pytest.mark.parametrize(
    "raised",
    [
        EndpointConnectionError(endpoint_url=URL),
        ConnectTimeoutError(endpoint_url=URL),
        ReadTimeoutError(endpoint_url=URL),
    ],
)
def test_a_provider_that_cannot_be_reached_may_be_back_later(raised: Exception) -> None:
    assert provider_error(raised, {}).trouble is Trouble.TRANSIENT


@pytest.mark.parametrize("address", ["someone@example.com", "+8613800138000", "13800138000"])
def test_an_address_in_an_error_is_not_kept(address: str) -> None:
    error = client_error("MessageRejected", message=f"not verified: <{address}>, in region x")

    text = str(provider_error(error, email.TROUBLES))

    assert address not in text
    assert text == "MessageRejected: not verified: <…>, in region x"


def test_a_long_error_fits_its_column() -> None:
    assert len(str(provider_error(client_error("X", message="long " * 500), {}))) == 500


def test_a_text_that_no_database_takes_is_made_storable() -> None:
    assert str(provider_error(client_error("X", message="a\ud800b"), {})) == "X: a?b"
