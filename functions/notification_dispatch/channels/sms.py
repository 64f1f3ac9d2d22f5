"""SMS by Amazon SNS."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from notification_dispatch.channels import provider
from notification_dispatch.channels.sender import Accepted, Answer, OneByOne, Unreachable
from scheduler.domain.notices import Channel
from scheduler.outbox.retry_policy import ErrorClass

if TYPE_CHECKING:
    from scheduler.outbox.delivery import Delivery

# https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
ERROR_CLASSES: Final[provider.ErrorClasses] = {
    "InvalidParameter": ErrorClass.PERMANENT,
    "ParameterValueInvalid": ErrorClass.PERMANENT,
    "ValidationException": ErrorClass.PERMANENT,
    # Permissions and the spending limit of the account: mended by an operator.
    "AuthorizationError": ErrorClass.TRANSIENT,
    "InvalidSecurity": ErrorClass.TRANSIENT,
    "Throttled": ErrorClass.THROTTLED,
}
MAX_LENGTH: Final = 1600
"""Characters; longer ones are refused (https://docs.aws.amazon.com/sns/latest/dg/sms_publish-to-phone.html)."""

_E164: Final = re.compile(r"\+[1-9]\d{6,14}")


class SmsSender(OneByOne):
    """Sends the sentence of each notification to a phone, as transactional SMS."""

    channel: Final = Channel.SMS

    def __init__(self, sender_id: str | None, threads: int) -> None:
        self._attributes = {"AWS.SNS.SMS.SMSType": _string("Transactional")}
        if sender_id:
            self._attributes["AWS.SNS.SMS.SenderID"] = _string(sender_id)
        self._threads = threads

    def send_one(self, delivery: Delivery) -> Answer:
        """Send an SMS."""
        phone = delivery.recipient.phone
        if not phone:
            return Unreachable("no phone number known")
        if not _E164.fullmatch(phone):
            return Unreachable("the phone number is not in E.164 form")
        try:
            answer = self._sns.publish(
                PhoneNumber=phone,
                Message=delivery.message[:MAX_LENGTH],
                MessageAttributes=self._attributes,
            )
        except provider.BOTO_ERRORS as error:
            return provider.provider_error(error, ERROR_CLASSES)
        return Accepted(answer["MessageId"])

    @cached_property
    def _sns(self) -> Any:  # noqa: ANN401 - no types installed
        return provider.client("sns", self._threads)


def _string(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}
