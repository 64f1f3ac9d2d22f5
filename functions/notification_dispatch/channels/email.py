"""E-mail by Amazon SES v2."""

from __future__ import annotations

import re
from functools import cached_property
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Final

from notification_dispatch.channels import aws_client
from notification_dispatch.channels.sender import (
    Accepted,
    SendResponse,
    UnbatchedSender,
    Unreachable,
)
from scheduler import aws_errors
from scheduler.domain.model import DEFAULT_LOCALE
from scheduler.domain.notices import Channel
from scheduler.outbox.delivery import NO_EMAIL_ADDRESS

if TYPE_CHECKING:
    from scheduler.outbox.delivery import Delivery

# https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageTag.html
_NOT_IN_TAGS: Final = re.compile(r"[^A-Za-z0-9_-]")
_MAX_TAG: Final = 256
_HTML: Final = Template((Path(__file__).parent / "email.html").read_text("utf-8"))


class EmailSender(UnbatchedSender):
    """Sends each notification as an e-mail with a text and an HTML body."""

    channel: Final = Channel.EMAIL

    def __init__(self, from_address: str, threads: int) -> None:
        self._from = from_address
        self._threads = threads

    def send_one(self, delivery: Delivery) -> SendResponse:
        """Send an e-mail."""
        address = delivery.recipient.email
        if not address:
            return Unreachable(NO_EMAIL_ADDRESS)
        try:
            response = self._ses.send_email(
                FromEmailAddress=self._from,
                Destination={"ToAddresses": [address]},
                Content={"Simple": _content(delivery)},
                EmailTags=_tags(delivery),
            )
        except aws_client.BOTO_ERRORS as error:
            return aws_client.to_provider_error(error, aws_errors.SES)
        return Accepted(response["MessageId"])

    @cached_property
    def _ses(self) -> Any:  # noqa: ANN401 - no types installed
        return aws_client.make_client("sesv2", self._threads)


def _tags(delivery: Delivery) -> list[dict[str, str]]:
    """Return tags that identify the e-mail in the events that SES publishes."""
    tags = {
        "notification_id": delivery.notification_id,
        "correlation_id": delivery.trace.correlation_id,
        "traceparent": delivery.trace.traceparent,
    }
    return [
        {"Name": name, "Value": _NOT_IN_TAGS.sub("_", value)[:_MAX_TAG]}
        for name, value in tags.items()
        if value
    ]


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
