"""A message cannot act on the operator's terminal, whichever command shows it."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from typer.main import get_command

from events.bodies import SMALLEST
from operations.smoke_steps import CheckFailedError, Step
from ops.__main__ import app
from scheduler.messaging.outbound import OutboundMessage
from scheduler.messaging.topology import DEAD_LETTER_QUEUE
from scheduler.pipeline.envelope import SOURCE_HEADER
from tests.integration.ops.letters import Broker, letter
from tests.integration.ops.running import run
from tests.support.events import encoded, message
from tests.support.functions import Functions
from tests.support.world import held, world

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from typer.testing import Result

    from operations.smoke_steps import Canary
    from tests.support.store import Store

EVIL: Final = (
    "\x1b]0;title\x07"  # OSC: sets the title
    "\x1b[2J\r\x08"  # CSI: clears the screen; returns to the start of the line
    "\x9b31m\x9d0;x\x9c\x85"  # the same with single C1 characters, and a line break
    "\u202e\u2066\u200f"  # writes from right to left
    "\u2028\u2029\x7f\u200b\U000e0041"  # separators, delete, zero width, tag
)
"""What a terminal could obey, in one text."""

STORED: Final = f"{EVIL}stored"
"""The same, where something is stored; a command that shows it prints this word."""

BROKER: Final = ("--broker-url", "{broker}")
SERVERS: Final = ("--database-url", "{database}", *BROKER)
NOWHERE: Final = ("--database-url", f"mysql://u:p{EVIL}@127.0.0.1:1/{EVIL}", *BROKER)
NOTHING_STORED: Final[dict[str, tuple[str, ...]]] = {
    "publish": (f"device.{EVIL}", f"deviceId={EVIL}", "--raw", *BROKER),
    "events": (EVIL,),
    "validate": ("--event", "device.failed", "device.failed.json", EVIL),
    "token": (EVIL,),
    "cost": ("--events-per-second", "1", "--users", "1", "--region", EVIL),
    "watch": ("--once", *BROKER),
    "console": ("--port", "65536", *BROKER),  # a valid one is served until Ctrl-C
    "brake engage": SERVERS,
    "brake status": SERVERS,  # who engaged it is an ENUM in the database
    "brake release": SERVERS,
    "brake arm": SERVERS,
}
"""Arguments of the commands that only show what they were given, and what we wrote."""

SHOWING: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("smoke", ("--gentle", *SERVERS)),
    ("outbox", SERVERS),
    ("erase check", (EVIL, *SERVERS)),
    ("timeline", ("user", "u1", *SERVERS)),
    ("timeline", ("device", "d1", *SERVERS)),
    ("show user", (STORED, *SERVERS)),
    ("show device", ("d1", *SERVERS)),
    ("show devices", SERVERS),
    ("show message", ("m", *SERVERS)),
    ("dead-letters list", SERVERS),
    ("dead-letters show", SERVERS),
    ("dead-letters edit", (STORED, *SERVERS)),  # two letters have this id
    ("dead-letters edit", (f"2{STORED}", *SERVERS)),
    ("dead-letters discard", SERVERS),
    ("dead-letters replay", SERVERS),
    ("dead-letters replay", ("--dry-run", *SERVERS)),
    ("dead-letters replay", ("--yes", *SERVERS)),
)
"""Commands that meet hostile text in a letter or in the database; the last takes letters away."""

UNREACHABLE: Final[dict[str, tuple[str, ...]]] = {
    "smoke": ("--gentle", *NOWHERE),
    "brake status": NOWHERE,
    "erase check": (EVIL, *NOWHERE),
    "timeline": ("user", EVIL, *NOWHERE),
    "outbox": NOWHERE,
    "dead-letters replay": ("--dry-run", *NOWHERE),
}
"""Arguments whose errors name a hostile address."""


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
    broker: Broker,
    store: Store,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, str]:
    """Letters, files and rows that are full of what a terminal obeys; return the servers' URLs."""
    now = datetime.now(UTC)
    store.seed(world(held("d1", by=STORED, since=now)))
    with Functions(database_url, clock=lambda: now) as functions:
        assert functions.handle(message("user.suspended", reason=STORED)) == {"success": 1}
    store.insert(
        "unapplied_messages",
        "queue, message_id, outcome, aggregate, subject_id, first_at, last_at, error, publisher",
        [("scheduler.device-failed", "m", "retried", "device", "d1", now, now, STORED, STORED)],
    )
    with store.database.transaction() as cursor:
        tried = "UPDATE notification_deliveries SET attempts = 1, last_error = %s"
        cursor.execute(tried, (STORED,))
    monkeypatch.chdir(tmp_path)  # discard writes its backup here
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))  # edit keeps the text here
    monkeypatch.setenv("EDITOR", "cp edited.json")
    monkeypatch.setattr("operations.smoke.STEPS", (Step("a", "b", _fail, lambda _: True),))
    body = json.dumps({"deviceId": STORED, EVIL: [EVIL]}, ensure_ascii=False).encode()
    (tmp_path / "device.failed.json").write_bytes(body)
    (tmp_path / "edited.json").write_bytes(encoded({**SMALLEST["device.failed"], STORED: 1}))
    (tmp_path / EVIL).write_text(f'{{"deviceId": {{"{EVIL}": 1}}}}')
    headers = {"trace": EVIL, EVIL[:40]: EVIL.encode()}
    unknown = letter(id=STORED, error=STORED, body=body, headers=headers)
    from_evil = unknown.properties["headers"] | {SOURCE_HEADER: STORED}
    broker.publish(
        letter(id=STORED, error=STORED, body=body, headers=headers),
        letter(id=f"1{STORED}", error=f"x{STORED}", body=f"{EVIL} x".encode(), headers=headers),
        letter(id=f"2{STORED}", error=STORED, deviceId="d1", at=now - timedelta(days=7)),
        OutboundMessage("", DEAD_LETTER_QUEUE, body, {**unknown.properties, "headers": from_evil}),
    )
    return {"{broker}": broker.url, "{database}": database_url}


def _fail(_canary: Canary) -> None:
    raise CheckFailedError(STORED)


def walk(command: str, arguments: Iterable[str], urls: dict[str, str]) -> Result:
    given = [urls.get(one, one) for one in arguments]
    return run(*command.split(), *given, stdin="n\n")


def test_every_command_is_tested() -> None:
    walked = NOTHING_STORED.keys() | dict(SHOWING)
    assert set(commands(get_command(app))) == walked, "add the new command"


@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
def test_no_command_prints_characters_that_control_a_terminal(
    form: tuple[str, ...], hostile: dict[str, str]
) -> None:
    for command, arguments in (*NOTHING_STORED.items(), *UNREACHABLE.items(), *SHOWING):
        result = walk(command, (*arguments, *form), hostile)

        assert not isinstance(result.exception, Exception), (command, result.exception)
        assert result.output, command
        assert not acting(result.output), command
        if (command, arguments) in SHOWING:
            assert "stored" in result.output, (command, arguments, result.output)


def test_backup_of_a_discarded_letter_can_be_read_in_a_terminal(
    hostile: dict[str, str], tmp_path: Path
) -> None:
    walk("dead-letters discard", (*SERVERS, "--yes"), hostile)

    (backup,) = tmp_path.glob("dead-letters-*.jsonl")
    text = backup.read_bytes().decode()
    assert len(text.splitlines()) == len(text.split("\n")) - 1
    assert not acting(text)


def test_json_still_has_the_exact_texts(hostile: dict[str, str]) -> None:
    shown = json.loads(walk("dead-letters show", (*SERVERS, "--json"), hostile).stdout)

    assert shown["letters"][0]["error"] == STORED
    assert shown["letters"][0]["body"] == {"deviceId": STORED, EVIL: [EVIL]}
