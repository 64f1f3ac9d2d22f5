"""E-mails and text messages that the embedded AWS took, read by moto's own inspection endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import httpx

# docs.getmoto.org/en/latest/docs/server_mode.html#data-api
_DATA: Final = "/moto-api/data.json"
_SECONDS: Final = 30


def url(aws_url: str) -> str:
    """Return where everything that moto knows can be read: ``ses.Message`` and ``sns.SMS``."""
    return aws_url + _DATA


@dataclass(frozen=True, slots=True)
class Mail:
    """An e-mail; of text and HTML moto keeps the HTML."""

    to: str
    subject: str
    html: str


@dataclass(frozen=True, slots=True)
class Sms:
    """A text message."""

    to: str
    text: str


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent since moto started, oldest first."""

    mails: list[Mail]
    sms: list[Sms]


def sent(aws_url: str) -> Sent:
    """Return what the embedded AWS has sent.

    Raises:
        httpx.HTTPError: it cannot be reached.
    """
    known: dict[str, Any] = httpx.get(url(aws_url), timeout=_SECONDS).raise_for_status().json()
    mails = known.get("ses", {}).get("Message", [])
    sms = known.get("sns", {}).get("SMS", [])
    return Sent(
        [Mail(_to(item), item["subject"], item["body"]) for item in mails],
        [Sms(item["phone_number"], item["message"]) for item in sms],
    )


def _to(mail: dict[str, Any]) -> str:
    return ", ".join(mail["destinations"]["ToAddresses"])
