"""E-mail by Amazon SES v2."""

from __future__ import annotations

from functools import cached_property
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Final

from notification_dispatch.channels import provider
from notification_dispatch.channels.sender import Accepted, Answer, OneByOne, Unreachable
from scheduler.domain.model import DEFAULT_LOCALE
from scheduler.domain.notices import Channel
from scheduler.outbox.retry_policy import ErrorClass

if TYPE_CHECKING:
    from scheduler.outbox.delivery import Delivery

# https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
ERROR_CLASSES: Final[provider.ErrorClasses] = {
    "BadRequestException": ErrorClass.PERMANENT,
    "MessageRejected": ErrorClass.PERMANENT,
    "NotFoundException": ErrorClass.PERMANENT,
    # These stop every e-mail until an operator has mended them.
    "AccountSuspendedException": ErrorClass.TRANSIENT,
    "MailFromDomainNotVerifiedException": ErrorClass.TRANSIENT,
    "SendingPausedException": ErrorClass.TRANSIENT,
    "LimitExceededException": ErrorClass.THROTTLED,
    "TooManyRequestsException": ErrorClass.THROTTLED,
}
_HTML: Final = Template((Path(__file__).parent / "email.html").read_text("utf-8"))


class EmailSender(OneByOne):
    """Sends each notification as an e-mail of text and HTML."""

    channel: Final = Channel.EMAIL

    def __init__(self, from_address: str, threads: int) -> None:
        self._from = from_address
        self._threads = threads

    def send_one(self, delivery: Delivery) -> Answer:
        """Send an e-mail."""
        address = delivery.recipient.email
        if not address:
            return Unreachable("no e-mail address known")
        try:
            answer = self._ses.send_email(
                FromEmailAddress=self._from,
                Destination={"ToAddresses": [address]},
                Content={"Simple": _content(delivery)},
            )
        except provider.BOTO_ERRORS as error:
            return provider.provider_error(error, ERROR_CLASSES)
        return Accepted(answer["MessageId"])

    @cached_property
    def _ses(self) -> Any:  # noqa: ANN401 - no types installed
        return provider.client("sesv2", self._threads)


def _content(delivery: Delivery) -> dict[str, Any]:
    html = _HTML.substitute(
        language=escape(delivery.recipient.locale or DEFAULT_LOCALE),
        title=escape(delivery.title),
        message=escape(delivery.message),
    )
    return {
        "Subject": _utf8(delivery.title),
        "Body": {"Text": _utf8(f"{delivery.message}\n"), "Html": _utf8(html)},
    }


def _utf8(text: str) -> dict[str, str]:
    return {"Data": text, "Charset": "UTF-8"}
