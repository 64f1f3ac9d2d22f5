"""Posts a message to a chat's incoming webhook, in the format of its provider.

Feishu: https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
DingTalk: https://open.dingtalk.com/document/robots/custom-robot-access
WeCom: https://developer.work.weixin.qq.com/document/path/91770
Slack: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from enum import StrEnum
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from pydantic import BaseModel, ConfigDict, Field, SecretStr

if TYPE_CHECKING:
    from datetime import datetime

    from alarm_relay.text import ChatMessage

_TIMEOUT_SECONDS: Final = 5
_MAX_ANSWER_BYTES: Final = 10_000
_MAX_TEXT: Final = 1_300
"""Characters; WeCom accepts 4,096 bytes, and a Chinese character has three."""


class Provider(StrEnum):
    """The provider of the webhook; Lark is Feishu."""

    FEISHU = "feishu"
    DINGTALK = "dingtalk"
    WECOM = "wecom"
    SLACK = "slack"


class Webhook(BaseModel):
    """The secret: the URL contains a token. ``key`` signs messages to Feishu and DingTalk."""

    model_config = ConfigDict(hide_input_in_errors=True)

    provider: Provider
    url: SecretStr = Field(min_length=1)
    key: SecretStr | None = None


class NotDeliveredError(Exception):
    """The chat did not accept a message; the text is its answer."""


def post(webhook: Webhook, message: ChatMessage, now: datetime) -> None:
    """Post a message.

    Raises:
        NotDeliveredError: the webhook cannot be reached, or refuses the message.
    """
    url, key = webhook.url.get_secret_value(), webhook.key and webhook.key.get_secret_value()
    match webhook.provider:
        case Provider.FEISHU:
            body = _feishu(message) | (_signature_for_feishu(key, now) if key else {})
        case Provider.DINGTALK:
            body = {
                "msgtype": "markdown",
                "markdown": {"title": message.title, "text": _markdown(message, "\n\n")},
            }
            url += f"&{urlencode(_signature_for_dingtalk(key, now))}" if key else ""
        case Provider.WECOM:
            body = {"msgtype": "markdown", "markdown": {"content": _markdown(message, "\n")}}
        case Provider.SLACK:
            body = {"text": _slack(message)}
    answer = _send(url, json.dumps(body).encode())
    if webhook.provider is not Provider.SLACK:
        _require_success(answer)


def _feishu(message: ChatMessage) -> dict[str, Any]:
    content = [[{"tag": "text", "text": line}] for line in message.lines]
    if _is_url(message.link):
        content.append([{"tag": "a", "text": message.link_text, "href": message.link}])
    elif message.link:
        content.append([{"tag": "text", "text": f"{message.link_text}: {message.link}"}])
    post_ = {"zh_cn": {"title": message.title, "content": content}}
    return {"msg_type": "post", "content": {"post": post_}}


def _markdown(message: ChatMessage, separator: str) -> str:
    parts = [f"**{message.title}**", *message.lines]
    text = separator.join(parts)[:_MAX_TEXT]
    if not message.link:
        return text
    shown = message.link_text
    link = f"[{shown}]({message.link})" if _is_url(message.link) else f"{shown}: {message.link}"
    return f"{text}{separator}{link}"


def _slack(message: ChatMessage) -> str:
    text = "\n".join([f"*{_escaped(message.title)}*", *map(_escaped, message.lines)])
    if not message.link:
        return text
    shown = message.link_text
    link = f"<{message.link}|{shown}>" if _is_url(message.link) else f"{shown}: {message.link}"
    return f"{text}\n{link}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _is_url(link: str) -> bool:
    return link.startswith("https://")


def _signature_for_feishu(key: str, now: datetime) -> dict[str, str]:
    """Sign an empty text with time and key; the time is in seconds."""
    timestamp = str(int(now.timestamp()))
    return {"timestamp": timestamp, "sign": _hmac(f"{timestamp}\n{key}", "")}


def _signature_for_dingtalk(key: str, now: datetime) -> dict[str, str]:
    """Sign time and key with the key; the time is in milliseconds."""
    timestamp = str(int(now.timestamp() * 1000))
    return {"timestamp": timestamp, "sign": _hmac(key, f"{timestamp}\n{key}")}


def _hmac(key: str, text: str) -> str:
    return base64.b64encode(hmac.digest(key.encode(), text.encode(), hashlib.sha256)).decode()


def _send(url: str, body: bytes) -> bytes:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    try:
        request = Request(url, body, headers)  # noqa: S310 - the operator's own secret
        with urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310 - as above
            answer: bytes = response.read(_MAX_ANSWER_BYTES)
            return answer
    except HTTPError as error:
        raise NotDeliveredError(f"status {error.code}") from None
    except (HTTPException, OSError, ValueError) as error:
        raise NotDeliveredError(type(error).__name__) from None  # its text may contain the URL


def _require_success(answer: bytes) -> None:
    """Raise unless the answer says 0; these providers refuse with status 200.

    Raises:
        NotDeliveredError: with the provider's message.
    """
    try:
        found = json.loads(answer)
        code = found.get("errcode", found.get("code"))
        said = found.get("errmsg", found.get("msg"))
    except (ValueError, AttributeError):
        code, said = None, "the answer is not JSON"
    if code != 0:
        raise NotDeliveredError(f"code {code}: {said}")
