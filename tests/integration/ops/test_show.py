"""``scheduler-ops show``, on the real database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from scheduler.messaging.topology import DEAD_LETTER_QUEUE
from tests.integration.ops.letters import Broker, letter
from tests.integration.ops.running import run
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.world import held, user, world

if TYPE_CHECKING:
    from tests.integration.ops.running import DeadLetters
    from tests.support.store import Store


@pytest.fixture(autouse=True)
def seeded(store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    store.seed(world(held("d1", by="u1")))


def show(*arguments: str, code: int = 0) -> str:
    result = run("show", *arguments)
    assert result.exit_code == code, result.output
    return result.output


def test_user_is_shown_with_quota_and_devices() -> None:
    lines = show("user", "u1").splitlines()

    assert lines[0] == "user u1: active"
    assert lines[1].startswith("quota: ")
    assert lines[2] == "holds 1 device:"
    assert lines[3].startswith("  d1 since 20")
    assert json.loads(show("user", "u1", "--json"))["devices"][0]["deviceId"] == "d1"


def test_long_list_of_devices_is_truncated_with_a_note(store: Store) -> None:
    store.seed(world(user("u2"), *(held(f"x{number:03}", by="u2") for number in range(53))))

    lines = show("user", "u2").splitlines()

    assert len(lines) == 3 + 50 + 1
    assert lines[-1] == "and 3 more devices; --json prints them"


def test_device_is_shown_with_its_holder(store: Store) -> None:
    store.run("UPDATE devices SET name = 'Phone \x1b]0;pwned\x07' WHERE id = 'd1'")

    lines = show("device", "d1").splitlines()

    assert "\x1b" not in lines[0]
    assert lines[1].startswith("held by u1 since 20")


def test_message_is_shown_with_what_it_caused(database_url: str, broker_url: str) -> None:
    with Functions(database_url, broker_url) as functions:
        functions.handle(message("device.failed", id="m-1", deviceId="d1", reason="It is dark"))

    text = show("message", "m-1")

    assert "event        device.failed (applied)\n" in text
    assert "allocation   released (device_failed) u1 d1" in text
    assert "caused 3:" in text


@pytest.mark.parametrize(
    ("kind", "said", "code"),
    [
        ("user", "error: there is no user nobody", 1),
        ("device", "error: there is no device nobody", 1),
        ("message", "No function has received it", 0),
    ],
)
def test_unknown_id_is_reported(kind: str, said: str, code: int) -> None:
    assert said in show(kind, "nobody", code=code)


def test_long_body_of_a_dead_letter_is_truncated_with_a_note(
    broker: Broker, dead_letters: DeadLetters
) -> None:
    broker.publish(letter(id="m-1", body=b"x" * 3_000_000))

    text = dead_letters.run("show").stdout

    assert len(text) < 30_000
    assert "more characters; --json prints all" in text
    assert len(dead_letters.json("show")["letters"][0]["bodyText"]) == 3_000_000
    assert broker.ids(DEAD_LETTER_QUEUE) == ["m-1"]


def test_devices_in_a_state_are_listed_page_by_page(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.run("UPDATE devices SET health = 'failed' WHERE id = 'd1'")
    store.run("INSERT INTO devices (id, name, health) VALUES ('d2', 'x', 'failed')")
    store.run("INSERT INTO devices (id, name, health) VALUES ('d3', 'x', 'running')")
    monkeypatch.setattr("ops.commands.show._PAGE", 1)

    failed = show("devices", "--health", "failed")
    held_ones = show("devices", "--health", "failed", "--status", "allocated", "--json")

    assert failed.splitlines() == [
        "d1: allocated, failed, held by u1",
        "d2: available, failed",
    ]
    assert [json.loads(line)["id"] for line in held_ones.splitlines()] == ["d1"]
    assert show("devices", "--health", "stopped") == "no device has this health and status\n"
    assert show("devices", "--health", "stopped", "--json") == ""
