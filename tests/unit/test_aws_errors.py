"""Classification of the errors of AWS, and their texts as they are stored."""

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.retries.standard import ThrottledRetryableChecker

from notification_dispatch.channels.aws_client import to_provider_error
from scheduler.aws_errors import (
    API_GATEWAY,
    DYNAMODB,
    SES,
    SNS,
    ErrorClass,
    ErrorClasses,
    classify,
)

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


PERMANENT = {
    "SES": (SES, ("BadRequestException",)),
    "SNS": (SNS, ("InvalidParameter", "ParameterValueInvalid", "ValidationException")),
    "API Gateway": (API_GATEWAY, ("PayloadTooLargeException",)),
    "DynamoDB": (DYNAMODB, ("ValidationException",)),
}


@pytest.mark.parametrize("service", PERMANENT)
def test_only_listed_codes_are_permanent(service: str) -> None:
    classes, permanent = PERMANENT[service]

    assert {code for code, one in classes.items() if one is ErrorClass.PERMANENT} == set(permanent)
    for status in range(400, 600):
        refusal = classify(client_error("SomethingNewException", status), classes)
        assert refusal in {ErrorClass.TRANSIENT, ErrorClass.THROTTLED}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Email address is not verified. These identities failed: x", ErrorClass.TRANSIENT),
        ("Email sending for the Amazon SES account was disabled.", ErrorClass.TRANSIENT),
        ("Sending paused for this account.", ErrorClass.TRANSIENT),
        ("Maximum sending rate exceeded.", ErrorClass.TRANSIENT),
        ("", ErrorClass.TRANSIENT),
        ("The message contains a virus.", ErrorClass.PERMANENT),
        ("Address blacklisted.", ErrorClass.PERMANENT),
    ],
)
def test_rejection_by_ses_is_permanent_only_because_of_the_message(
    text: str, expected: ErrorClass
) -> None:
    assert classify(client_error("MessageRejected", message=text), SES) is expected


@pytest.mark.parametrize(
    ("service", "code", "status", "expected"),
    [
        (SES, "TooManyRequestsException", 429, ErrorClass.THROTTLED),
        (SES, "LimitExceededException", 400, ErrorClass.THROTTLED),
        (SES, "SendingPausedException", 400, ErrorClass.TRANSIENT),
        (SES, "AccountSuspendedException", 400, ErrorClass.TRANSIENT),
        (SES, "MailFromDomainNotVerifiedException", 400, ErrorClass.TRANSIENT),
        (SES, "NotFoundException", 404, ErrorClass.TRANSIENT),
        (SES, "InternalFailure", 500, ErrorClass.TRANSIENT),
        (SES, "AccessDeniedException", 403, ErrorClass.TRANSIENT),
        (SES, "ExpiredTokenException", 400, ErrorClass.TRANSIENT),
        (SES, "SomethingNewException", 400, ErrorClass.TRANSIENT),
        (SES, "SomethingNewException", 429, ErrorClass.THROTTLED),
        (SNS, "Throttled", 429, ErrorClass.THROTTLED),
        (SNS, "Throttling", 400, ErrorClass.THROTTLED),
        (SNS, "AuthorizationError", 403, ErrorClass.TRANSIENT),
        (API_GATEWAY, "LimitExceededException", 429, ErrorClass.RECIPIENT_BUSY),
        (API_GATEWAY, "ForbiddenException", 403, ErrorClass.TRANSIENT),
        (DYNAMODB, "ProvisionedThroughputExceededException", 400, ErrorClass.THROTTLED),
        (DYNAMODB, "TransactionConflictException", 400, ErrorClass.THROTTLED),
        (DYNAMODB, "ResourceNotFoundException", 400, ErrorClass.TRANSIENT),
        ({}, "ProvisionedThroughputExceededException", 400, ErrorClass.THROTTLED),
        ({}, "ValidationException", 400, ErrorClass.TRANSIENT),
    ],
)
def test_error_code_or_status_decides_the_class(
    service: ErrorClasses, code: str, status: int, expected: ErrorClass
) -> None:
    assert classify(client_error(code, status), service) is expected


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (EndpointConnectionError(endpoint_url=URL), ErrorClass.UNREACHABLE),
        (ConnectTimeoutError(endpoint_url=URL), ErrorClass.UNREACHABLE),
        (ProxyConnectionError(proxy_url=URL), ErrorClass.UNREACHABLE),
        (
            SSLError(endpoint_url=URL, error=OSError("certificate verify failed")),
            ErrorClass.UNREACHABLE,
        ),
        (ReadTimeoutError(endpoint_url=URL), ErrorClass.UNCERTAIN),
        (ConnectionClosedError(endpoint_url=URL), ErrorClass.UNCERTAIN),
    ],
)
def test_lost_response_is_uncertain_but_a_refused_connection_is_not(
    raised: Exception, expected: ErrorClass
) -> None:
    assert classify(raised, SES) is expected


@pytest.mark.parametrize("lost", [ReadTimeoutError, ConnectionClosedError])
def test_lost_response_to_a_frame_is_transient_because_clients_recognise_repetitions(
    lost: type[ReadTimeoutError | ConnectionClosedError],
) -> None:
    assert classify(lost(endpoint_url=URL), API_GATEWAY) is ErrorClass.TRANSIENT


# The first means something else to each service; the other is of EC2 alone.
SPECIAL = {"LimitExceededException", "EC2ThrottledException"}
THROTTLING = {*ThrottledRetryableChecker._THROTTLED_ERROR_CODES}  # type: ignore[attr-defined]  # the stubs have no private names


@pytest.mark.parametrize("code", sorted(THROTTLING - SPECIAL))
def test_every_error_that_botocore_treats_as_throttling_is_throttling(code: str) -> None:
    assert classify(client_error(code), {}) is ErrorClass.THROTTLED


@pytest.mark.parametrize("address", ["someone@example.com", "+8613800138000", "13800138000"])
def test_address_in_an_error_is_removed(address: str) -> None:
    error = client_error("MessageRejected", message=f"not verified: <{address}>, in region x")

    text = str(to_provider_error(error, SES))

    assert address not in text
    assert text == "MessageRejected: not verified: <…>, in region x"


def test_long_error_is_truncated_to_its_column() -> None:
    assert len(str(to_provider_error(client_error("X", message="long " * 500), {}))) == 500


def test_lone_surrogate_is_replaced() -> None:
    assert str(to_provider_error(client_error("X", message="a\ud800b"), {})) == "X: a?b"
