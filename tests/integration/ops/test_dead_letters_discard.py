"""``dead-letters discard``: asks, keeps copies, and can be undone."""

from __future__ import annotations

import json
import stat
import time
from typing import TYPE_CHECKING

import pytest

from scheduler.messaging.topology import DEAD_LETTER_QUEUE
from tests.integration.ops.letters import Broker, letter, numbered

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.ops.running import DeadLetters

FAILED = "scheduler.device-failed"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "backup.jsonl"


def test_discarded_letters_are_in_the_file_and_the_others_keep_their_order(
    broker: Broker, dead_letters: DeadLetters, file: Path
) -> None:
    ids = numbered(range(250))
    broker.publish(
        *(
            letter(("device.failed", "user.deleted")[n % 5 == 0], id=id_)
            for n, id_ in enumerate(ids)
        )
    )

    told = dead_letters.json("discard", "--queue", "device.failed", "--yes", "--backup", str(file))

    assert told == {
        "dryRun": False,
        "total": 250,
        "matched": 200,
        "discarded": 200,
        "backup": str(file),
    }
    kept = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [one["id"] for one in kept] == [one for n, one in enumerate(ids) if n % 5]
    assert (kept[0]["queue"], kept[0]["error"]) == (FAILED, "LookupError: a bug")
    assert kept[0]["body"]["deviceId"] == "d1"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert broker.ids(DEAD_LETTER_QUEUE) == ids[::5]


def test_discarded_letters_can_be_replayed_from_the_file(
    broker: Broker, dead_letters: DeadLetters, file: Path
) -> None:
    headers = {"trace": "设备", "raw": b"\xff", "x-attempt": 3}
    broker.publish(
        letter(id="m-1", headers=headers, body=b"\xff\x00"),
        letter("user.suspended", id="m-2"),
        letter(id="often", replays=3),
    )
    dead_letters.run("discard", "--yes", "--backup", str(file))

    only = dead_letters.json("replay", "--from-file", str(file), "--id", "m-1")
    assert (only["total"], only["replayed"]) == (3, 1)

    (found,) = broker.take(FAILED)
    assert (found.properties.message_id, found.body) == ("m-1", b"\xff\x00")
    received_at = found.headers["x-received-at"]
    assert received_at <= time.time() * 1000
    assert found.headers == {
        "trace": "设备",
        "raw": b"\xff",
        "x-replays": 1,
        "x-received-at": received_at,
    }
    again = dead_letters.run("replay", "--from-file", str(file))
    assert again.exit_code == 1
    assert "1 × replayed 3 times already" in again.stderr
    assert broker.ids(FAILED, "scheduler.user-suspended") == ["m-1", "m-2"]


@pytest.mark.parametrize(("answer", "left"), [("y\n", 0), ("n\n", 1), ("", 1)])
def test_discard_asks_for_confirmation(
    broker: Broker, dead_letters: DeadLetters, file: Path, answer: str, left: int
) -> None:
    broker.publish(letter(error="the reason"))

    result = dead_letters.run("discard", "--backup", str(file), stdin=answer)

    assert "the reason" in result.stderr
    assert f"Discard 1 dead letter and keep copies in {file}?" in result.stderr
    assert (result.exit_code, file.exists()) == ((0, True), (1, False))[left]
    assert ("add --yes" in result.stderr) is bool(left)
    assert broker.depth(DEAD_LETTER_QUEUE) == left


def test_dry_run_discards_nothing(broker: Broker, dead_letters: DeadLetters, file: Path) -> None:
    broker.publish(letter(), letter("user.deleted"))

    result = dead_letters.run(
        "discard", "--dry-run", "--queue", "user.deleted", "--backup", str(file)
    )

    assert result.stdout == "Would discard 1 of 2 dead letters.\n"
    assert broker.depth(DEAD_LETTER_QUEUE) == 2
    assert not file.exists()


def test_existing_file_is_not_overwritten_and_nothing_is_discarded(
    broker: Broker, dead_letters: DeadLetters, file: Path
) -> None:
    file.write_text("precious")
    broker.publish(letter())

    result = dead_letters.run("discard", "--yes", "--backup", str(file))

    assert result.exit_code == 2
    assert "choose another file" in result.stderr
    assert file.read_text() == "precious"
    assert broker.depth(DEAD_LETTER_QUEUE) == 1


def test_nothing_is_discarded_if_the_file_cannot_be_written(
    broker: Broker, dead_letters: DeadLetters, tmp_path: Path
) -> None:
    broker.publish(letter())

    result = dead_letters.run("discard", "--yes", "--backup", str(tmp_path / "no" / "folder"))

    assert result.exit_code == 1
    assert "cannot write" in result.stderr
    assert broker.depth(DEAD_LETTER_QUEUE) == 1


def test_incomplete_last_line_is_skipped(
    broker: Broker, dead_letters: DeadLetters, file: Path
) -> None:
    broker.publish(letter(id="m-1"))
    dead_letters.run("discard", "--yes", "--backup", str(file))
    file.write_bytes(file.read_bytes() + b'{"id": "m-2", "raw": {"rou')

    assert dead_letters.json("replay", "--from-file", str(file))["replayed"] == 1


def test_line_break_at_the_end_may_be_missing(
    broker: Broker, dead_letters: DeadLetters, file: Path
) -> None:
    broker.publish(letter(id="m-1"))
    dead_letters.run("discard", "--yes", "--backup", str(file))
    file.write_bytes(file.read_bytes().rstrip())

    assert dead_letters.json("replay", "--from-file", str(file))["replayed"] == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}\n", "line 1 is not a dead letter"),
        ("not json\n", "line 1 is not a dead letter"),
        ('{"raw": {"routingKey": "k", "properties": "AA==", "body": ""}}\n', "line 1 is not"),
        ('{"raw": {"rou', "no complete letter"),
        (None, "cannot read"),
    ],
)
def test_file_in_another_format_is_refused(
    dead_letters: DeadLetters, file: Path, content: str | None, said: str
) -> None:
    if content is not None:
        file.write_text(content)

    result = dead_letters.run("replay", "--from-file", str(file))

    assert result.exit_code == 2
    assert said in result.stderr
