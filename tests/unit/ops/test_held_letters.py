"""A replay or a discard tells that it ended without letters that another program holds."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

from operations.errors import OpsError
from ops.backup import Backup
from ops.long_queue import Discarded, discard
from tests.integration.ops.running import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class Held:
    """Operations that see a letter, while another program holds some."""

    place = "a test"

    def __init__(self, held: int, discarded: int) -> None:
        self._held, self._discarded = held, discarded

    def call(self, _operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if arguments["remove"]:
            return {"discarded": self._discarded, "complete": True}
        copies = {"letters": [{"id": "m-1"}], "fingerprints": ["f-1"]}
        return copies | {"held": self._held, "next": None}


@pytest.mark.parametrize(
    ("held", "discarded", "said"),
    [
        (2, 1, "another program holds 2 of the letters"),
        (0, 0, "1 of the copied letters were held or taken by another program"),
    ],
)
def test_discard_fails_after_the_letters_that_it_could_remove(
    tmp_path: Path, held: int, discarded: int, said: str
) -> None:
    counts = []

    with Backup(tmp_path / "copies") as backup, pytest.raises(OpsError, match=said):  # noqa: PT012 - what was yielded before is asserted
        for one in discard(Held(held, discarded), {}, backup):
            counts.append(one)  # noqa: PERF402 - as above

    assert counts[-1] == Discarded(1, discarded)


def test_replay_fails_after_the_letters_that_it_could_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def calls(*_: object) -> Iterator[dict[str, Any]]:
        counts = {"total": 3, "matched": 1, "replayed": 1, "refused": [], "sources": {"q": 1}}
        yield counts | {"readers": 1, "held": 0}
        yield counts | {"readers": 0, "held": 2}

    monkeypatch.setattr(import_module("ops.commands.dead_letters.replay"), "calls", calls)

    result = run("dead-letters", "replay", "--yes", "--broker-url", "amqp://127.0.0.1")

    assert (result.exit_code, result.stdout) == (1, "Replayed 1 of 3 dead letters.\n")
    assert "another program holds 2 of the letters; run the command again" in result.stderr
    note = "note: another program is reading dead letters; 2 letters held there are missing here"
    assert note in result.stderr
