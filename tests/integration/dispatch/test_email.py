"""The requests that SES receives, and its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.aws import sent_messages
from local.environment import SENDER
from notification_dispatch.channels.email import EmailSender
from notification_dispatch.channels.sender import Accepted, SendResponse, Unreachable
from scheduler.aws_errors import ErrorClass
from scheduler.domain.trace import TraceContext
from scheduler.outbox.delivery import Recipient
from scheduler.outbox.retry_policy import ProviderError
from tests.support.deliveries import delivery
from tests.support.provider import EMAIL, Provider, Refusal

if TYPE_CHECKING:
    from scheduler.outbox.delivery import Delivery


def send(one: Delivery) -> SendResponse:
    (response,) = EmailSender(SENDER, threads=2).send([one])
    return response


def test_email_has_subject_text_and_html(provider_clients: Provider) -> None:
    response = send(delivery(title="账户欠费", message="账户已欠费 ¥150.50（7天）"))

    assert response == Accepted("mail-1")
    (request,) = provider_clients.requests(EMAIL)
    simple = request.body["Content"]["Simple"]
    assert request.body["FromEmailAddress"] == SENDER
    assert request.body["Destination"] == {"ToAddresses": ["someone@example.com"]}
    assert simple["Subject"] == {"Data": "账户欠费", "Charset": "UTF-8"}
    assert simple["Body"]["Text"] == {"Data": "账户已欠费 ¥150.50（7天）\n", "Charset": "UTF-8"}
    assert '<html lang="zh-CN">' in simple["Body"]["Html"]["Data"]
    assert "账户已欠费 ¥150.50（7天）</p>" in simple["Body"]["Html"]["Data"]


def test_texts_are_escaped_in_html(provider_clients: Provider) -> None:
    hostile = '<script>alert("$title")</script> & ${message}'

    send(delivery(title=hostile, message=hostile))

    (request,) = provider_clients.requests(EMAIL)
    body = request.body["Content"]["Simple"]["Body"]
    assert "<script>" not in body["Html"]["Data"]
    assert (
        "&lt;script&gt;alert(&quot;$title&quot;)&lt;/script&gt; &amp; ${message}"
        in body["Html"]["Data"]
    )
    assert body["Text"]["Data"].startswith(hostile)


def test_ses_accepts_the_request(moto_clients: str) -> None:
    response = send(delivery())

    assert isinstance(response, Accepted)
    assert [(mail.to, mail.subject) for mail in sent_messages(moto_clients).mails] == [
        ("someone@example.com", "设备已释放")
    ]


@pytest.mark.parametrize("address", [None, ""])
def test_user_without_an_address_is_unreachable(
    provider_clients: Provider, address: str | None
) -> None:
    response = send(delivery(recipient=Recipient("u1", email=address)))

    assert response == Unreachable("no e-mail address known")
    assert provider_clients.requests(EMAIL) == []


@pytest.mark.parametrize(
    ("refusal", "error_class"),
    [
        (Refusal(429, "TooManyRequestsException"), ErrorClass.THROTTLED),
        (
            Refusal(400, "MessageRejected", "not verified: someone@example.com"),
            ErrorClass.TRANSIENT,
        ),
        (Refusal(400, "MessageRejected", "Address blacklisted"), ErrorClass.PERMANENT),
        (Refusal(400, "SendingPausedException"), ErrorClass.TRANSIENT),
        (Refusal(503, "ServiceUnavailable"), ErrorClass.TRANSIENT),
    ],
)
def test_error_is_classified_and_the_request_not_repeated(
    provider_clients: Provider, refusal: Refusal, error_class: ErrorClass
) -> None:
    provider_clients.refuse(EMAIL, refusal)

    response = send(delivery())

    assert isinstance(response, ProviderError)
    assert response.error_class is error_class
    assert "someone@example.com" not in str(response)
    assert len(provider_clients.requests(EMAIL)) == 1


def test_endpoint_without_a_connection_is_unreachable(
    moto_clients: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert moto_clients
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", "http://127.0.0.1:1")

    response = send(delivery())

    assert isinstance(response, ProviderError)
    assert response.error_class is ErrorClass.UNREACHABLE


@pytest.mark.parametrize(
    "address", [" ", "nobody", "a@b.example\r\nBcc: c@d.example", "票@例.example", "x" * 254]
)
def test_addresses_are_not_validated_locally(provider_clients: Provider, address: str) -> None:
    assert isinstance(send(delivery(recipient=Recipient("u1", email=address))), Accepted)

    (request,) = provider_clients.requests(EMAIL)
    assert request.body["Destination"] == {"ToAddresses": [address]}


def test_delivery_that_cannot_be_serialised_does_not_affect_the_next(
    provider_clients: Provider,
) -> None:
    invalid = Recipient("u1", email=object())  # type: ignore[arg-type]  # on purpose
    responses = EmailSender(SENDER, threads=2).send([delivery(recipient=invalid), delivery()])

    with pytest.raises(TypeError):  # the channel worker turns it into a failure
        next(responses)

    assert isinstance(next(responses), Accepted)
    assert len(provider_clients.requests(EMAIL)) == 1


def test_tags_identify_the_email_by_its_cause(provider_clients: Provider) -> None:
    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    cause = TraceContext("order:4711/设备.a-b" + "x" * 300, traceparent)

    send(delivery(notification_id="n-1", trace=cause))
    send(delivery(notification_id="n-2"))

    with_cause, without = (one.body["EmailTags"] for one in provider_clients.requests(EMAIL))
    tags = {tag["Name"]: tag["Value"] for tag in with_cause}
    assert tags.pop("correlation_id") == ("order_4711____a-b" + "x" * 300)[:256]
    assert tags == {"notification_id": "n-1", "traceparent": traceparent}
    assert without == [{"Name": "notification_id", "Value": "n-2"}]
