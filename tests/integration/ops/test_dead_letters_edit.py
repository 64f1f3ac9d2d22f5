"""``dead-letters edit``: a valid body is replayed under a new id; anything else changes nothing."""

from __future__ import annotations

import json
import re
import shlex
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scheduler.messaging.message import to_milliseconds
from scheduler.messaging.topology import DEAD_LETTER_QUEUE
from tests.integration.ops.letters import Broker, letter
from tests.support.world import held, world

if TYPE_CHECKING:
    from typer.testing import Result

    from tests.integration.ops.running import DeadLetters
    from tests.support.store import Store

FAILED = "scheduler.device-failed"
LAST_WEEK = datetime.now(UTC) - timedelta(days=7)
VALID = '{"deviceId": "d2", "reason": "fixed"}'


@pytest.fixture
def editor(tmp_path: Path) -> Path:
    """A program that replaces the text that it is given with a file, if the file exists."""
    script = tmp_path / "editor.py"
    script.write_text(
        "import pathlib, sys\n"
        "text = pathlib.Path(__file__).with_name('new.json')\n"
        "if text.exists():\n"
        "    pathlib.Path(sys.argv[1]).write_bytes(text.read_bytes())\n"
    )
    return script


def edit(dead_letters: DeadLetters, editor: Path, body: str | None, *options: str) -> Result:
    if body is not None:
        editor.with_name("new.json").write_text(body)
    command = shlex.join([sys.executable, str(editor)])
    return dead_letters.run("edit", "m-1", *options, stdin="n\n", EDITOR=command, VISUAL="")


def test_edited_letter_is_replayed_under_a_new_id(
    broker: Broker, dead_letters: DeadLetters, editor: Path
) -> None:
    received = datetime.now(UTC) - timedelta(hours=1)
    headers = {"trace": "t", "x-shard-key": "d1", "x-identity": "content:x:y"}
    broker.publish(letter(id="m-1", headers=headers, failed_at=received), letter(id="m-2"))

    result = edit(dead_letters, editor, VALID, "--json")

    assert result.exit_code == 0, result.output
    done = json.loads(result.stdout)
    (found,) = broker.take(FAILED)
    assert (done["id"], done["newId"]) == ("m-1", found.properties.message_id)
    assert json.loads(found.body) == json.loads(VALID)
    assert found.headers["x-edited-from"] == "m-1"
    assert (found.headers["trace"], found.headers["x-shard-key"]) == ("t", "d2")
    assert "x-identity" not in found.headers
    assert found.headers["x-received-at"] == to_milliseconds(received)
    assert broker.ids(DEAD_LETTER_QUEUE) == ["m-2"]


@pytest.fixture
def later_holder(store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Device d2 was allocated an hour ago; the command line uses this database."""
    store.seed(world(held("d2", by="u2", since=datetime.now(UTC) - timedelta(hours=1))))
    monkeypatch.setenv("DATABASE_URL", database_url)


@pytest.mark.usefixtures("later_holder")
def test_old_event_that_would_take_the_device_of_the_new_body_needs_confirmation(
    broker: Broker, dead_letters: DeadLetters, editor: Path
) -> None:
    broker.publish(letter(id="m-1", deviceId="d1", failed_at=LAST_WEEK))

    refused = edit(dead_letters, editor, VALID)

    assert refused.exit_code == 1
    assert "nothing was replayed: there is no terminal to ask on" in refused.stderr
    assert "device.failed of d2" in refused.stderr
    assert "held by u2" in refused.stderr
    (kept,) = re.findall(r"Your text is kept in (\S+)\.$", refused.stderr, re.MULTILINE)
    Path(kept).unlink()
    assert broker.depth(FAILED) == 0

    assert edit(dead_letters, editor, VALID, "--yes").exit_code == 0
    assert broker.depth(FAILED) == 1


@pytest.mark.usefixtures("later_holder")
def test_edited_event_that_takes_no_device_is_replayed_at_once(
    broker: Broker, dead_letters: DeadLetters, editor: Path
) -> None:
    broker.publish(letter(id="m-1", deviceId="d2", failed_at=LAST_WEEK))

    assert edit(dead_letters, editor, VALID.replace("d2", "d1")).exit_code == 0
    assert broker.depth(FAILED) == 1


def test_byte_that_is_not_utf_8_stays_in_the_body(
    broker: Broker, dead_letters: DeadLetters, editor: Path
) -> None:
    broker.publish(letter(id="m-1"))
    editor.with_name("new.json").write_bytes(VALID.replace("fixed", "\x80").encode("latin-1"))

    result = edit(dead_letters, editor, None)

    assert result.exit_code == 0, result.output
    (found,) = broker.take(FAILED)
    assert b"\x80" in found.body


@pytest.mark.parametrize(
    ("body", "options", "said"),
    [
        (None, (), "was not changed"),
        ('{"deviceId": "d2"}', (), "reason"),
        ("{", (), "not JSON"),
        ('{"deviceId": "d2", "reason": "x", "resaon": "y"}', (), "did you mean reason?"),
    ],
)
def test_body_that_is_unchanged_or_invalid_is_not_replayed(
    broker: Broker,
    dead_letters: DeadLetters,
    editor: Path,
    body: str | None,
    options: tuple[str, ...],
    said: str,
) -> None:
    broker.publish(letter(id="m-1"))

    result = edit(dead_letters, editor, body, *options)

    assert result.exit_code == 1
    assert said in result.stderr
    assert "nothing was replayed" in result.stderr
    assert broker.ids(DEAD_LETTER_QUEUE) == ["m-1"]


def test_two_letters_with_one_id_are_distinguished_by_their_queue(
    broker: Broker, dead_letters: DeadLetters, editor: Path
) -> None:
    broker.publish(letter(id="m-1"), letter("user.suspended", id="m-1"))

    ambiguous = edit(dead_letters, editor, VALID)
    chosen = edit(dead_letters, editor, VALID, "--queue", "device.failed")

    assert (ambiguous.exit_code, "add --queue" in ambiguous.stderr) == (2, True)
    assert chosen.exit_code == 0
    assert broker.depth(DEAD_LETTER_QUEUE) == 1


def test_missing_editor_is_named(broker: Broker, dead_letters: DeadLetters) -> None:
    broker.publish(letter(id="m-1"))

    result = dead_letters.run("edit", "m-1", EDITOR="no-such-editor", VISUAL="")

    assert result.exit_code == 1
    assert "set $EDITOR" in result.stderr


def test_without_a_terminal_to_ask_on_an_invalid_body_is_an_error_with_its_reason(
    broker: Broker, dead_letters: DeadLetters, editor: Path
) -> None:
    broker.publish(letter(id="m-1"))
    editor.with_name("new.json").write_text("{")
    command = shlex.join([sys.executable, str(editor)])

    result = dead_letters.run("edit", "m-1", EDITOR=command, VISUAL="")

    assert result.exit_code == 1
    assert "error: the body is invalid; nothing was replayed" in result.stderr
    (kept,) = re.findall(r"Your text is kept in (\S+)\.$", result.stderr, re.MULTILINE)
    assert Path(kept).read_text("utf-8") == "{"
    assert Path(kept).stat().st_mode & 0o077 == 0
    Path(kept).unlink()
