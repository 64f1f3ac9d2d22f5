"""The e-mails and SMS that moto has accepted."""

from __future__ import annotations

from typing import Any, NamedTuple

import httpx


class Mail(NamedTuple):
    """An e-mail; moto keeps only the HTML body."""

    to: str
    subject: str
    html: str


class Sms(NamedTuple):
    """A text message."""

    to: str
    message: str


def mails(aws_url: str) -> list[Mail]:
    """Return the e-mails sent, in order."""
    return [
        Mail(", ".join(one["destinations"]["ToAddresses"]), one["subject"], one["body"])
        for one in _sent(aws_url, "ses", "Message")
    ]


def texts(aws_url: str) -> list[Sms]:
    """Return the SMS sent, in order."""
    return [Sms(one["phone_number"], one["message"]) for one in _sent(aws_url, "sns", "SMS")]


def _sent(aws_url: str, service: str, kind: str) -> list[dict[str, Any]]:
    answer = httpx.get(f"{aws_url}/moto-api/data.json", timeout=30)
    found: list[dict[str, Any]] = answer.raise_for_status().json()[service][kind]
    return found
