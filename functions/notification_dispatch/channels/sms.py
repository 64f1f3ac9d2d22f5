"""SMS by Amazon SNS."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from notification_dispatch.channels import aws_client
from notification_dispatch.channels.sender import (
    Accepted,
    SendResponse,
    UnbatchedSender,
    Unreachable,
)
from scheduler import aws_errors
from scheduler.domain.notices import Channel
from scheduler.outbox.delivery import INVALID_PHONE_NUMBER, NO_PHONE_NUMBER

if TYPE_CHECKING:
    from scheduler.outbox.delivery import Delivery

MAX_LENGTH: Final = 1600
"""Characters; SNS rejects longer messages (https://docs.aws.amazon.com/sns/latest/dg/sms_publish-to-phone.html)."""

_E164: Final = re.compile(r"\+[1-9]\d{6,14}")


class SmsSender(UnbatchedSender):
    """Sends the message of each notification as a transactional SMS."""

    channel: Final = Channel.SMS

    def __init__(self, sender_id: str | None, threads: int) -> None:
        self._attributes = {"AWS.SNS.SMS.SMSType": _string("Transactional")}
        if sender_id:
            self._attributes["AWS.SNS.SMS.SenderID"] = _string(sender_id)
        self._threads = threads

    def send_one(self, delivery: Delivery) -> SendResponse:
        """Send an SMS."""
        phone = delivery.recipient.phone
        if not phone:
            return Unreachable(NO_PHONE_NUMBER)
        if not _E164.fullmatch(phone):
            return Unreachable(INVALID_PHONE_NUMBER)
        try:
            response = self._sns.publish(
                PhoneNumber=phone,
                Message=delivery.message[:MAX_LENGTH],
                MessageAttributes=self._attributes,
            )
        except aws_client.BOTO_ERRORS as error:
            return aws_client.to_provider_error(error, aws_errors.SNS)
        return Accepted(response["MessageId"])

    @cached_property
    def _sns(self) -> Any:  # noqa: ANN401 - no types installed
        return aws_client.make_client("sns", self._threads)


def _string(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}
