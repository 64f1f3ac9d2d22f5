"""E-mails as SES gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.environment import SENDER
from notification_dispatch.channels.email import EmailSender
from notification_dispatch.channels.sender import Accepted, SendResponse, Unreachable
from scheduler.outbox.delivery import Recipient
from scheduler.outbox.retry_policy import ErrorClass, ProviderError
from tests.support.deliveries import delivery
from tests.support.mailbox import mails
from tests.support.provider import EMAIL, Provider, Refusal

if TYPE_CHECKING:
    from scheduler.outbox.delivery import Delivery


def send(one: Delivery) -> SendResponse:
    (answer,) = EmailSender(SENDER, threads=2).send([one])
    return answer


def test_an_email_has_subject_text_and_html(provider_clients: Provider) -> None:
    answer = send(delivery(title="账户欠费", message="账户已欠费 ¥150.50（7天）"))

    assert answer == Accepted("mail-1")
    (request,) = provider_clients.requests(EMAIL)
    simple = request.body["Content"]["Simple"]
    assert request.body["FromEmailAddress"] == SENDER
    assert request.body["Destination"] == {"ToAddresses": ["someone@example.com"]}
    assert simple["Subject"] == {"Data": "账户欠费", "Charset": "UTF-8"}
    assert simple["Body"]["Text"] == {"Data": "账户已欠费 ¥150.50（7天）\n", "Charset": "UTF-8"}
    assert '<html lang="zh-CN">' in simple["Body"]["Html"]["Data"]
    assert "账户已欠费 ¥150.50（7天）</p>" in simple["Body"]["Html"]["Data"]


def test_what_others_wrote_into_a_text_is_no_html(provider_clients: Provider) -> None:
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


def test_ses_takes_it(moto_clients: str) -> None:
    answer = send(delivery())

    assert isinstance(answer, Accepted)
    assert [(mail.to, mail.subject) for mail in mails(moto_clients)] == [
        ("someone@example.com", "设备已释放")
    ]


@pytest.mark.parametrize("address", [None, ""])
def test_without_address_there_is_nowhere_to_send_it(
    provider_clients: Provider, address: str | None
) -> None:
    answer = send(delivery(recipient=Recipient("u1", email=address)))

    assert answer == Unreachable("no e-mail address known")
    assert provider_clients.requests(EMAIL) == []


@pytest.mark.parametrize(
    ("refusal", "error_class"),
    [
        (Refusal(429, "TooManyRequestsException"), ErrorClass.THROTTLED),
        (
            Refusal(400, "MessageRejected", "not verified: someone@example.com"),
            ErrorClass.PERMANENT,
        ),
        (Refusal(400, "SendingPausedException"), ErrorClass.TRANSIENT),
        (Refusal(503, "ServiceUnavailable"), ErrorClass.TRANSIENT),
    ],
)
def test_a_refusal_is_understood_and_not_repeated_at_once(
    provider_clients: Provider, refusal: Refusal, error_class: ErrorClass
) -> None:
    provider_clients.refuse(EMAIL, refusal)

    answer = send(delivery())

    assert isinstance(answer, ProviderError)
    assert answer.error_class is error_class
    assert "someone@example.com" not in str(answer)
    assert len(provider_clients.requests(EMAIL)) == 1


def test_a_provider_that_is_not_there_is_asked_again_later(
    moto_clients: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert moto_clients
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", "http://127.0.0.1:1")

    answer = send(delivery())

    assert isinstance(answer, ProviderError)
    assert answer.error_class is ErrorClass.TRANSIENT


@pytest.mark.parametrize(
    "address", [" ", "nobody", "a@b.example\r\nBcc: c@d.example", "票@例.example", "x" * 254]
)
def test_an_odd_address_is_for_ses_to_judge(provider_clients: Provider, address: str) -> None:
    """botocore checks nothing of what it is given (see ``channels/aws_client.py``)."""
    assert isinstance(send(delivery(recipient=Recipient("u1", email=address))), Accepted)

    (request,) = provider_clients.requests(EMAIL)
    assert request.body["Destination"] == {"ToAddresses": [address]}


def test_what_cannot_even_be_written_costs_its_own_delivery_only(
    provider_clients: Provider,
) -> None:
    nonsense = Recipient("u1", email=object())  # type: ignore[arg-type]  # on purpose
    answers = EmailSender(SENDER, threads=2).send([delivery(recipient=nonsense), delivery()])

    with pytest.raises(TypeError):  # the channel worker turns it into a failure
        next(answers)

    assert isinstance(next(answers), Accepted)
    assert len(provider_clients.requests(EMAIL)) == 1
