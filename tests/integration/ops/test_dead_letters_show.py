"""``dead-letters show``: all data of a letter, with control characters escaped."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from scheduler.messaging.topology import DEAD_LETTER_EXCHANGE
from tests.integration.ops.letters import Broker, letter

if TYPE_CHECKING:
    from tests.integration.ops.running import DeadLetters

FAILED_AT = datetime(2026, 11, 3, 0, 30, 7, tzinfo=UTC)


def test_json_has_headers_properties_and_the_decoded_body(
    broker: Broker, dead_letters: DeadLetters
) -> None:
    headers: dict[str, Any] = {
        "trace": "设备",
        "raw": b"\xff",
        "list": [1, {"deep": None}],
        "at": FAILED_AT,
        "x-attempt": 3,
    }
    broker.publish(
        letter(
            id="m-1",
            headers=headers,
            error="LookupError: 错误",
            failed_at=FAILED_AT,
            replays=2,
            body='{"deviceId": "d1", "reason": "屏幕"}'.encode(),
        )
    )

    (shown,) = dead_letters.json("show", "m-1")["letters"]

    failed_at = FAILED_AT.isoformat()
    assert shown == {
        "id": "m-1",
        "queue": "scheduler.device-failed",
        "error": "LookupError: 错误",
        "failedAt": failed_at,
        "firstFailedAt": failed_at,
        "attempt": 3,
        "replays": 2,
        "properties": {
            "message_id": "m-1",
            "content_type": "application/json",
            "delivery_mode": 2,
        },
        "headers": {
            "trace": "设备",
            "raw": "\\xff",
            "list": [1, {"deep": None}],
            "at": failed_at,
            "x-attempt": 3,
            "x-replays": 2,
            "x-error": "LookupError: 错误",
            "x-failed-at": failed_at,
            "x-first-failed-at": failed_at,
            "x-received-at": int(FAILED_AT.timestamp() * 1000),
            "x-source-queue": "scheduler.device-failed",
        },
        "body": {"deviceId": "d1", "reason": "屏幕"},
    }


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"{half", {"bodyText": "{half"}),
        (b"", {"bodyText": ""}),
        (b'{"rate": NaN}', {"bodyText": '{"rate": NaN}'}),
        (b'{"userId": "a", "userId": "b"}', {"bodyText": '{"userId": "a", "userId": "b"}'}),
        (b"\xff\x00", {"bodyBase64": "/wA="}),
        (b'"\\ud800"', {"body": "?"}),
    ],
)
def test_body_that_is_not_json_is_text_or_base64(
    broker: Broker, dead_letters: DeadLetters, body: bytes, shown: dict[str, str]
) -> None:
    broker.publish(letter(body=body))

    (found,) = dead_letters.json("show")["letters"]
    assert {name: value for name, value in found.items() if name.startswith("body")} == shown
    assert dead_letters.run("show").exit_code == 0


@pytest.mark.parametrize("depth", [900, 9_000, 90_000])
def test_deeply_nested_body_is_shown(broker: Broker, dead_letters: DeadLetters, depth: int) -> None:
    broker.publish(letter(body=b"[" * depth + b"]" * depth))

    for options, shown in (((), min(depth, 10_000)), (("--json",), depth)):  # text is cut
        result = dead_letters.run("show", *options)
        assert result.exit_code == 0
        assert result.stdout.count("[") >= shown


def test_text_has_the_formatted_body(broker: Broker, dead_letters: DeadLetters) -> None:
    broker.publish(letter(id="m-1", headers={"trace": "t"}, body=b'{"deviceId":"d1","n":[1]}'))

    said = dead_letters.run("show", "m-1").stdout

    assert '{\n  "deviceId": "d1",\n  "n": [\n    1\n  ]\n}' in said
    assert "trace: t" in said
    assert "LookupError: a bug" in said


def test_letter_cannot_control_the_terminal(broker: Broker, dead_letters: DeadLetters) -> None:
    evil = "\x1b[2J\x9b31m\u202e"
    broker.publish(
        letter(
            id=f"id{evil}", error=f"e{evil}[red]", headers={f"h{evil}": evil}, body=evil.encode()
        )
    )

    for said in (dead_letters.run("show").stdout, dead_letters.run("list").stdout):
        assert not {"\x1b", "\x9b", "\u202e"}.intersection(said)
        assert "\\x1b[2J" in said
        assert "[red]" in said


def test_oldest_letters_are_shown_up_to_the_limit(
    broker: Broker, dead_letters: DeadLetters
) -> None:
    broker.publish(*(letter(id=f"m-{number}") for number in range(12)))

    assert [one["id"] for one in dead_letters.json("show", "--limit", "2")["letters"]] == [
        "m-0",
        "m-1",
    ]
    result = dead_letters.run("show")
    assert "Stopped at 10 (--limit)" in result.stdout
    assert result.stderr == ""


def test_commands_succeed_without_dead_letters(broker: Broker, dead_letters: DeadLetters) -> None:
    assert broker.take() == []

    for command in ("show", "replay", "discard"):
        result = dead_letters.run(command)
        assert (result.exit_code, result.stderr) == (0, "")
    assert dead_letters.json("show") == {"letters": []}


@pytest.mark.parametrize(
    "command", [("show", "nobody"), ("replay", "--id", "nobody"), ("discard", "--id", "nobody")]
)
def test_error_without_matches_lists_the_queues_with_letters(
    broker: Broker, dead_letters: DeadLetters, command: tuple[str, ...]
) -> None:
    broker.publish(letter(), letter(), letter("user.deleted"))

    result = dead_letters.run(*command)

    assert result.exit_code == 1
    assert "scheduler.device-failed (2), scheduler.user-deleted (1)" in result.stderr
    assert len(broker.take()) == 3


def test_all_letters_with_the_same_id_are_shown(broker: Broker, dead_letters: DeadLetters) -> None:
    first = letter(id="m-1")
    broker.publish(first, first, letter("user.deleted", id="m-1"))

    assert len(dead_letters.json("show", "m-1")["letters"]) == 3
    assert first.exchange == DEAD_LETTER_EXCHANGE


def test_time_beyond_the_year_9999_does_not_hide_the_letters(
    broker: Broker, dead_letters: DeadLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publisher wrote milliseconds; pika decodes only seconds."""
    milliseconds = int(FAILED_AT.timestamp()) * 1000
    monkeypatch.setattr("pika.data.calendar.timegm", lambda _: milliseconds)
    broker.publish(letter(id="m-1", headers={"at": FAILED_AT}))

    (shown,) = dead_letters.json("show", "m-1")["letters"]

    assert shown["headers"]["at"] == milliseconds
