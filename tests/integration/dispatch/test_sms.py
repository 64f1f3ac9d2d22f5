"""The requests that SNS receives, and its errors."""

from __future__ import annotations

import pytest

from local.aws import SentSms, sent_messages
from notification_dispatch.channels.sender import Accepted, SendResponse, Unreachable
from notification_dispatch.channels.sms import MAX_LENGTH, SmsSender
from scheduler.aws_errors import ErrorClass
from scheduler.domain.notices import Channel
from scheduler.outbox.delivery import Delivery, Recipient
from scheduler.outbox.retry_policy import ProviderError
from tests.support.deliveries import delivery
from tests.support.provider import SMS, Provider, Refusal


def send(one: Delivery, sender_id: str | None = None) -> SendResponse:
    (response,) = SmsSender(sender_id, threads=2).send([one])
    return response


def sms(
    message: str = "账户已欠费 ¥150.50（7天）", phone: str | None = "+8613800138000"
) -> Delivery:
    return delivery(Channel.SMS, message=message, recipient=Recipient("u1", phone=phone))


def test_sms_is_transactional_and_has_the_sender_id(provider_clients: Provider) -> None:
    response = send(sms(), "CloudPhone")

    assert response == Accepted("sms-1")
    (request,) = provider_clients.requests(SMS)
    fields = request.body
    assert fields["Action"] == "Publish"
    assert fields["PhoneNumber"] == "+8613800138000"
    assert fields["Message"] == "账户已欠费 ¥150.50（7天）"
    attributes = {
        fields[f"MessageAttributes.entry.{n}.Name"]: fields[
            f"MessageAttributes.entry.{n}.Value.StringValue"
        ]
        for n in (1, 2)
    }
    assert attributes == {
        "AWS.SNS.SMS.SMSType": "Transactional",
        "AWS.SNS.SMS.SenderID": "CloudPhone",
    }


def test_without_a_sender_id_the_attribute_is_absent(provider_clients: Provider) -> None:
    send(sms())

    (request,) = provider_clients.requests(SMS)
    assert b"SenderID" not in request.raw


def test_sns_accepts_the_request(moto_clients: str) -> None:
    assert isinstance(send(sms()), Accepted)
    assert sent_messages(moto_clients).sms == [
        SentSms("+8613800138000", "账户已欠费 ¥150.50（7天）")
    ]


@pytest.mark.parametrize(
    ("phone", "reason"),
    [
        (None, "no phone number known"),
        ("", "no phone number known"),
        ("13800138000", "the phone number is not in E.164 form"),
        ("+0123456789", "the phone number is not in E.164 form"),
        ("+86138001380001234", "the phone number is not in E.164 form"),
        ("+86 138 0013 8000", "the phone number is not in E.164 form"),
        ("+8613800138000\n", "the phone number is not in E.164 form"),
    ],
)
def test_invalid_phone_number_is_unreachable(
    provider_clients: Provider, phone: str | None, reason: str
) -> None:
    assert send(sms(phone=phone)) == Unreachable(reason)
    assert provider_clients.requests(SMS) == []


def test_long_message_is_truncated(provider_clients: Provider) -> None:
    send(sms("长" * 2000))

    (request,) = provider_clients.requests(SMS)
    assert request.body["Message"] == "长" * MAX_LENGTH


@pytest.mark.parametrize(
    ("refusal", "error_class"),
    [
        (Refusal(429, "Throttled"), ErrorClass.THROTTLED),
        (Refusal(400, "InvalidParameter", "+8613800138000 is not valid"), ErrorClass.PERMANENT),
        (Refusal(500, "InternalError"), ErrorClass.TRANSIENT),
    ],
)
def test_error_is_classified_and_the_request_not_repeated(
    provider_clients: Provider, refusal: Refusal, error_class: ErrorClass
) -> None:
    provider_clients.refuse(SMS, refusal)

    response = send(sms())

    assert isinstance(response, ProviderError)
    assert response.error_class is error_class
    assert "13800138000" not in str(response)
    assert len(provider_clients.requests(SMS)) == 1
