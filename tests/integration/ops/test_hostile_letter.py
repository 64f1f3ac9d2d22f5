"""A message cannot act on the operator's terminal, whichever command shows it."""

from __future__ import annotations

import json
import os
import unicodedata
from typing import TYPE_CHECKING, Any, Final

import pytest
from typer.main import get_command

from ops.__main__ import app
from scheduler.messaging.outbound import OutboundMessage
from scheduler.messaging.topology import DEAD_LETTER_QUEUE
from scheduler.pipeline.envelope import SOURCE_HEADER
from tests.integration.ops.letters import Broker, letter
from tests.integration.ops.running import run
from tests.support.events import message
from tests.support.functions import Functions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result

EVIL: Final = (
    "\x1b]0;title\x07"  # OSC: sets the title
    "\x1b[2J\r\x08"  # CSI: clears the screen; returns to the start of the line
    "\x9b31m\x9d0;x\x9c\x85"  # the same with single C1 characters, and a line break
    "\u202e\u2066\u200f"  # writes from right to left
    "\u2028\u2029\x7f\u200b\U000e0041"  # separators, delete, zero width, tag
)
"""What a terminal could obey, in one text."""

LETTER: Final = ("--broker-url", "{broker}")
DATABASE: Final = ("--database-url", f"mysql://u:p{EVIL}@127.0.0.1:1/{EVIL}")
WALK: Final[dict[str, tuple[str, ...]]] = {
    "publish": (f"device.{EVIL}", f"deviceId={EVIL}", "--raw", *LETTER),
    "events": (EVIL,),
    "validate": ("--event", "device.failed", "device.failed.json", EVIL),
    "token": (EVIL,),
    "cost": ("--events-per-second", "1", "--users", "1", "--region", EVIL),
    "watch": ("--once", *LETTER),
    "smoke": ("--gentle", *DATABASE, *LETTER),
    "outbox": ("--database-url", "{database}", *LETTER),
    "console": ("--port", "65536", *LETTER),  # a valid one is served until Ctrl-C
    "brake status": DATABASE,
    "brake engage": DATABASE,
    "brake release": DATABASE,
    "brake arm": DATABASE,
    "erase check": (EVIL, *DATABASE, *LETTER),
    "timeline": ("user", "u1", "--database-url", "{database}", *LETTER),
    "dead-letters list": LETTER,
    "dead-letters show": LETTER,
    "dead-letters edit": (EVIL, *LETTER),
    "dead-letters discard": LETTER,
    "dead-letters replay": ("--yes", *DATABASE, *LETTER),
}
"""Arguments by which each command meets hostile text; replay is last, as it removes the letter."""


def commands(command: Any, name: str = "") -> Iterator[str]:  # noqa: ANN401 - click's or Typer's copy of it
    """Yield the full names of all commands."""
    children = getattr(command, "commands", None)
    if children is None:
        yield name
    for child, one in (children or {}).items():
        yield from commands(one, f"{name} {child}".strip())


def acting(text: str) -> set[str]:
    """Return the characters of a text that a terminal could obey."""
    return {
        one
        for one in text
        if unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and one not in "\n\t"
    }


@pytest.fixture
def hostile(
    broker: Broker, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Broker:
    """Letters, files and an applied event that are full of what a terminal obeys."""
    with Functions(database_url) as functions:
        assert functions.handle(message("user.suspended", reason=EVIL)) == {"success": 1}
    monkeypatch.setenv("TEST_DATABASE", database_url)
    monkeypatch.chdir(tmp_path)  # discard writes its backup here
    monkeypatch.setenv("EDITOR", "true")
    body = json.dumps({"deviceId": EVIL, EVIL: [EVIL]}, ensure_ascii=False).encode()
    (tmp_path / "device.failed.json").write_bytes(body)
    (tmp_path / EVIL).write_text(f'{{"deviceId": {{"{EVIL}": 1}}}}')
    headers = {"trace": EVIL, EVIL[:40]: EVIL.encode()}
    unknown = letter(id=EVIL, error=EVIL, body=body, headers=headers)
    from_evil = unknown.properties["headers"] | {SOURCE_HEADER: EVIL}
    broker.publish(
        letter(id=EVIL, error=EVIL, body=body, headers=headers),
        letter(id="not-json", error=f"x{EVIL}", body=EVIL.encode(), headers=headers),
        OutboundMessage("", DEAD_LETTER_QUEUE, body, {**unknown.properties, "headers": from_evil}),
    )
    return broker


def walk(command: str, broker: Broker, *more: str) -> Result:
    urls = {"{broker}": broker.url, "{database}": os.environ["TEST_DATABASE"]}
    arguments = [urls.get(one, one) for one in WALK[command]]
    return run(*command.split(), *arguments, *more, stdin="n\n")


def test_every_command_is_walked() -> None:
    assert set(commands(get_command(app))) == set(WALK), "add the new command to WALK"


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
def test_no_command_prints_what_a_terminal_obeys(form: tuple[str, ...], hostile: Broker) -> None:
    for command in WALK:
        result = walk(command, hostile, *form)

        assert not isinstance(result.exception, Exception), (command, result.exception)
        assert result.output, command
        assert not acting(result.output), command


def test_backup_of_a_discarded_letter_can_be_read_in_a_terminal(
    hostile: Broker, tmp_path: Path
) -> None:
    walk("dead-letters discard", hostile, "--yes")

    (backup,) = tmp_path.glob("dead-letters-*.jsonl")
    text = backup.read_bytes().decode()
    assert len(text.splitlines()) == len(text.split("\n")) - 1
    assert not acting(text)


def test_json_still_has_the_exact_texts(hostile: Broker) -> None:
    shown = json.loads(walk("dead-letters show", hostile, "--json").stdout)

    assert shown["letters"][0]["error"] == EVIL
    assert shown["letters"][0]["body"] == {"deviceId": EVIL, EVIL: [EVIL]}
