"""A killed command has lost nothing and can be run again."""

from __future__ import annotations

import json
import signal
from contextlib import closing
from typing import TYPE_CHECKING

import pika
import pytest

from scheduler.messaging.topology import DEAD_LETTER_QUEUE
from tests.integration.ops.letters import Broker, letter, numbered
from tests.support.queues import ready
from tests.support.together import DEADLINE_SECONDS, eventually

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.integration.ops.running import DeadLetters

FAILED = "scheduler.device-failed"
LETTERS = 1000
"""Enough that the test notices a replay long before its end."""
IDS = numbered(range(LETTERS))


@pytest.fixture(autouse=True)
def many(broker: Broker) -> None:
    broker.publish(*(letter(id=id_) for id_ in IDS))


@pytest.mark.parametrize("killer", [signal.SIGKILL, signal.SIGINT])
def test_killed_replay_loses_nothing(
    broker: Broker, dead_letters: DeadLetters, killer: signal.Signals
) -> None:
    with dead_letters.start("replay") as process:
        with closing(pika.BlockingConnection(pika.URLParameters(broker.url))) as connection:
            channel = connection.channel()
            eventually(
                lambda: ready(channel, FAILED) > 20,
                "the replay has started",
            )
        process.send_signal(killer)
        said = ended(process)

    assert process.returncode != 0
    if killer is signal.SIGINT:
        assert "stopped (" in said
        assert "replayed before; nothing is lost, run the command again" in said
    eventually(
        lambda: broker.depth(FAILED) + broker.depth(DEAD_LETTER_QUEUE) >= LETTERS,
        "the letters of the killed process are requeued",
    )
    left = broker.depth(DEAD_LETTER_QUEUE)
    assert 0 < left < LETTERS

    assert dead_letters.json("replay")["replayed"] == left

    came = broker.ids(FAILED)
    assert sorted(set(came)) == IDS
    assert len(came) <= LETTERS + 1
    assert broker.depth(DEAD_LETTER_QUEUE) == 0


def test_killed_discard_loses_nothing(
    broker: Broker, dead_letters: DeadLetters, tmp_path: Path
) -> None:
    file = tmp_path / "backup.jsonl"

    with dead_letters.start("discard", "--yes", "--backup", str(file)) as process:
        eventually(
            lambda: file.exists() and file.stat().st_size > 0, "the first letters are in the file"
        )
        process.kill()

    eventually(
        lambda: len(kept(file)) + broker.depth(DEAD_LETTER_QUEUE) >= LETTERS,
        "the letters of the killed process are requeued",
    )
    assert set(kept(file)) | set(broker.ids(DEAD_LETTER_QUEUE)) == set(IDS)


def ended(process: subprocess.Popen[str]) -> str:
    """Wait for the end of a process and return its stderr."""
    try:
        return process.communicate(timeout=DEADLINE_SECONDS)[1]
    finally:
        process.kill()


def kept(file: Path) -> list[str]:
    """Return the ids in a backup whose last line may be incomplete."""
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line)["id"] for line in lines if line.endswith("\n")]
