"""Classification of the errors of SES, SNS and API Gateway."""

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from notification_dispatch.channels import email, sms, websocket
from notification_dispatch.channels.aws_client import ErrorClasses, to_provider_error
from scheduler.outbox.retry_policy import ErrorClass

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
    ("error_classes", "code", "status", "expected"),
    [
        (email.ERROR_CLASSES, "MessageRejected", 400, ErrorClass.PERMANENT),
        (email.ERROR_CLASSES, "BadRequestException", 400, ErrorClass.PERMANENT),
        (email.ERROR_CLASSES, "TooManyRequestsException", 429, ErrorClass.THROTTLED),
        (email.ERROR_CLASSES, "LimitExceededException", 400, ErrorClass.THROTTLED),
        (email.ERROR_CLASSES, "SendingPausedException", 400, ErrorClass.TRANSIENT),
        (email.ERROR_CLASSES, "AccountSuspendedException", 400, ErrorClass.TRANSIENT),
        (email.ERROR_CLASSES, "MailFromDomainNotVerifiedException", 400, ErrorClass.TRANSIENT),
        (email.ERROR_CLASSES, "InternalFailure", 500, ErrorClass.TRANSIENT),
        (email.ERROR_CLASSES, "AccessDeniedException", 403, ErrorClass.TRANSIENT),
        (email.ERROR_CLASSES, "ExpiredTokenException", 400, ErrorClass.TRANSIENT),
        (email.ERROR_CLASSES, "SomethingNewException", 400, ErrorClass.PERMANENT),
        (email.ERROR_CLASSES, "SomethingNewException", 403, ErrorClass.TRANSIENT),
        (email.ERROR_CLASSES, "SomethingNewException", 429, ErrorClass.THROTTLED),
        (email.ERROR_CLASSES, "599", 599, ErrorClass.TRANSIENT),
        (sms.ERROR_CLASSES, "InvalidParameter", 400, ErrorClass.PERMANENT),
        (sms.ERROR_CLASSES, "Throttled", 429, ErrorClass.THROTTLED),
        (sms.ERROR_CLASSES, "Throttling", 400, ErrorClass.THROTTLED),
        (sms.ERROR_CLASSES, "AuthorizationError", 403, ErrorClass.TRANSIENT),
        (sms.ERROR_CLASSES, "InternalError", 500, ErrorClass.TRANSIENT),
        (websocket.ERROR_CLASSES, "PayloadTooLargeException", 413, ErrorClass.PERMANENT),
        (websocket.ERROR_CLASSES, "LimitExceededException", 429, ErrorClass.RECIPIENT_BUSY),
        (websocket.ERROR_CLASSES, "ForbiddenException", 403, ErrorClass.TRANSIENT),
    ],
)
def test_error_code_or_status_decides_the_class(
    error_classes: ErrorClasses, code: str, status: int, expected: ErrorClass
) -> None:
    assert to_provider_error(client_error(code, status), error_classes).error_class is expected


@pytest.mark.parametrize(
    "raised",
    [
        EndpointConnectionError(endpoint_url=URL),
        ConnectTimeoutError(endpoint_url=URL),
        ReadTimeoutError(endpoint_url=URL),
    ],
)
def test_connection_errors_are_transient(raised: Exception) -> None:
    assert to_provider_error(raised, {}).error_class is ErrorClass.TRANSIENT


@pytest.mark.parametrize("address", ["someone@example.com", "+8613800138000", "13800138000"])
def test_address_in_an_error_is_removed(address: str) -> None:
    error = client_error("MessageRejected", message=f"not verified: <{address}>, in region x")

    text = str(to_provider_error(error, email.ERROR_CLASSES))

    assert address not in text
    assert text == "MessageRejected: not verified: <…>, in region x"


def test_long_error_is_truncated_to_its_column() -> None:
    assert len(str(to_provider_error(client_error("X", message="long " * 500), {}))) == 500


def test_lone_surrogate_is_replaced() -> None:
    assert str(to_provider_error(client_error("X", message="a\ud800b"), {})) == "X: a?b"
