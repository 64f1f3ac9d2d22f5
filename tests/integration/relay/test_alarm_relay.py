"""Alarms arrive in the chat of each provider, in its format, signed, in English or Chinese."""

from __future__ import annotations

import json
import time
from traceback import format_exception
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import boto3
import pytest
from pydantic import ValidationError

from alarm_relay.chat import NotDeliveredError
from alarm_relay.relay import relay
from alarm_relay.settings import RelaySettings
from local.environment import aws_environment
from tests.integration.relay.chat import KEY, Chat, running_chat, signature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Deliver = Callable[..., None]

ALARM: Final = {
    "AlarmName": "cloudphone-DeadLetters-1A2B",
    "AlarmDescription": "There are dead letters. https://git.example/docs/runbooks.md#dead-letters",
    "NewStateValue": "ALARM",
    "NewStateReason": "Threshold Crossed: 1 datapoint [3.0] was > the threshold <0.0> & so on.",
    "StateChangeTime": "2026-11-27T03:04:05.678+0000",
}
LINK: Final = "https://git.example/docs/runbooks.md#dead-letters"
CHINESE_LINK: Final = f"https://git.example/docs/zh-CN/runbooks.md#{quote('死信')}"


@pytest.fixture
def chat() -> Iterator[Chat]:
    with running_chat() as running:
        yield running


@pytest.fixture
def deliver(aws_url: str, chat: Chat, monkeypatch: pytest.MonkeyPatch) -> Deliver:
    """Pass an alarm through SNS's event, the secret and the function to the chat."""
    for name, value in aws_environment(aws_url).items():
        monkeypatch.setenv(name, value)

    def run(
        provider: str,
        language: str = "en",
        *,
        key: str | None = KEY,
        text: str = "",
        **changed: str,
    ) -> None:
        secret = json.dumps({"provider": provider, "url": chat.url, "key": key})
        client = boto3.client("secretsmanager")
        arn = client.create_secret(Name="webhook", SecretString=secret)["ARN"]
        given = {"WEBHOOK_SECRET_ARN": arn, "RELAY_LANGUAGE": language}
        notification = {"Subject": "ALARM", "Message": text or json.dumps(ALARM | changed)}
        relay({"Records": [{"Sns": notification}]}, RelaySettings.model_validate(given))

    return run


def test_feishu_gets_rich_text_signed_with_an_empty_text(deliver: Deliver, chat: Chat) -> None:
    deliver("feishu", "zh-CN")

    message = chat.message
    assert message["msg_type"] == "post"
    post = message["content"]["post"]["zh_cn"]
    assert post["title"] == "[告警] 死信"
    assert [line[0].get("text") for line in post["content"]] == [
        "There are dead letters.",
        f"原因：{ALARM['NewStateReason']}",
        "时间：2026-11-27 11:04 北京时间",
        "cloudphone-DeadLetters-1A2B",
        "处理手册",
    ]
    assert post["content"][-1][0]["href"] == CHINESE_LINK
    assert message["sign"] == signature(f"{message['timestamp']}\n{KEY}", "")
    assert abs(int(message["timestamp"]) - time.time()) < 3600


def test_dingtalk_gets_markdown_signed_in_the_query(deliver: Deliver, chat: Chat) -> None:
    deliver("dingtalk")

    assert chat.message["msgtype"] == "markdown"
    markdown = chat.message["markdown"]
    assert markdown["title"] == "[ALARM] There are dead letters."
    assert markdown["text"].startswith("**[ALARM] There are dead letters.**\n\nReason: Threshold")
    assert markdown["text"].endswith(f"\n\n[Runbook]({LINK})")
    (query,) = chat.queries
    assert "access_token" in query
    assert query["sign"] == signature(KEY, f"{query['timestamp']}\n{KEY}")
    assert abs(int(query["timestamp"]) / 1000 - time.time()) < 3600


def test_wecom_gets_markdown_that_is_not_too_long(deliver: Deliver, chat: Chat) -> None:
    deliver("wecom", "zh-CN", key=None, AlarmDescription=f"{'长' * 5000} {LINK}")

    content = chat.message["markdown"]["content"]
    assert len(content.encode()) <= 4096
    assert content.endswith(f"[处理手册]({CHINESE_LINK})")


def test_slack_gets_escaped_text_with_a_link(deliver: Deliver, chat: Chat) -> None:
    chat.answer = "ok"
    deliver("slack", key=None)

    lines = chat.message["text"].splitlines()
    assert lines[0] == "*[ALARM] There are dead letters.*"
    assert "the threshold &lt;0.0&gt; &amp; so on" in lines[1]
    assert lines[2] == "At: 2026-11-27 03:04 UTC"
    assert lines[-1] == f"<{LINK}|Runbook>"


@pytest.mark.parametrize(("language", "state"), [("en", "[OK]"), ("zh-CN", "[已恢复]")])
def test_end_of_an_alarm_is_shown_without_its_reason(
    deliver: Deliver, chat: Chat, language: str, state: str
) -> None:
    deliver("wecom", language, NewStateValue="OK")

    content = chat.message["markdown"]["content"]
    assert content.startswith(f"**{state} ")
    assert "Threshold Crossed" not in content


def test_without_the_url_of_a_repository_the_file_is_named(deliver: Deliver, chat: Chat) -> None:
    deliver("wecom", AlarmDescription="There are dead letters. docs/runbooks.md#dead-letters")

    assert chat.message["markdown"]["content"].endswith("Runbook: docs/runbooks.md#dead-letters")


def test_message_that_is_not_an_alarm_arrives_unchanged(deliver: Deliver, chat: Chat) -> None:
    deliver("wecom", text="Does it work?")

    assert chat.message["markdown"]["content"] == "**[ALARM] Does it work?**"


@pytest.mark.parametrize("provider", ["feishu", "dingtalk", "wecom"])
def test_refusal_with_status_200_is_an_error_so_that_lambda_tries_again(
    deliver: Deliver, chat: Chat, provider: str
) -> None:
    chat.answer = '{"errcode": 310000, "code": 310000, "errmsg": "sign not match"}'

    with pytest.raises(NotDeliveredError, match="310000"):
        deliver(provider)


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:1/secret-token", "secret-token", "https://["),
        *("http://127.0.0.1:1/secret-token pasted", "http://127.0.0.1:secret-token"),
    ],
)
def test_no_error_contains_the_url(deliver: Deliver, chat: Chat, url: str) -> None:
    chat.url = url

    with pytest.raises(NotDeliveredError) as raised:
        deliver("wecom")

    assert "secret-token" not in "".join(format_exception(raised.value)[-1:])
    assert raised.value.__suppress_context__


def test_status_of_a_refusal_is_named(deliver: Deliver, chat: Chat) -> None:
    chat.status = 403

    with pytest.raises(NotDeliveredError, match="status 403"):
        deliver("slack")


def test_malformed_secret_is_refused_without_showing_it(deliver: Deliver, chat: Chat) -> None:
    with pytest.raises(ValidationError) as raised:
        deliver("telegram")

    assert "secret-token" not in str(raised.value)
    assert chat.messages == []


@pytest.mark.parametrize(
    ("former", "state", "arriving"),
    [("INSUFFICIENT_DATA", "OK", 0), ("INSUFFICIENT_DATA", "ALARM", 1), ("ALARM", "OK", 1)],
)
def test_only_the_first_ok_of_a_new_alarm_does_not_arrive(
    former: str, state: str, arriving: int, deliver: Deliver, chat: Chat
) -> None:
    deliver("slack", OldStateValue=former, NewStateValue=state)

    assert len(chat.messages) == arriving
