"""The settings of the alarm relay."""

from __future__ import annotations

from typing import Literal

from scheduler.settings import Settings


class RelaySettings(Settings):
    """The secret of the webhook, and the language of the messages."""

    webhook_secret_arn: str
    relay_language: Literal["en", "zh-CN"] = "en"
