"""Letters are replayed and discarded call by call; who asks sees how far it is."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

from operations.errors import OpsError
from ops.console.access import TOKEN_HEADER
from scheduler.messaging.topology import DEAD_LETTER_QUEUE
from tests.integration.console.deployment import TOKEN, served
from tests.integration.console.recorder import Recorder
from tests.support.together import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COPY = {"id": "m-1"}


def begin(program: httpx.Client, verb: str) -> httpx.Response:
    about = {"verb": verb, "selection": {}, "until": "2026-11-27T00:00Z", "expected": 2}
    return program.post("/console/letters/begin", json=about)


def ended(program: httpx.Client) -> dict[str, Any]:
    eventually(lambda: program.get("/console/letters").json()["endedAt"], "the end of the work")
    work: dict[str, Any] = program.get("/console/letters").json()
    return work


def test_letters_are_discarded_after_their_copies_are_stored(
    program: httpx.Client, operations: Recorder
) -> None:
    first = {"discarded": 0, "letters": [COPY], "fingerprints": ["f-1"]}
    last = {"discarded": 1, "letters": [], "fingerprints": []}
    operations.answers["dead-letters.discard"] = [first, last]

    begin(program, "discard")
    done = ended(program)
    bare = program.post("/console/operations/dead-letters.discard", json={})

    assert (done["state"], done["copied"], done["done"]) == ("done", 1, 1)
    assert json.loads(Path(done["file"]).read_text("utf-8")) == COPY
    assert [call[1]["remove"] for call in operations.calls] == [[], ["f-1"]]
    assert bare.status_code == 403


class Gated(Recorder):
    """Waits before each call about letters until it may go on."""

    def __init__(self, answers: list[Any]) -> None:
        super().__init__({"dead-letters.replay": answers})
        self.gate = threading.Semaphore(0)
        self.begun = 0

    def call(self, operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        if operation.startswith("dead-letters."):
            self.begun += 1
            assert self.gate.acquire(timeout=30)
        return super().call(operation, arguments)


REPLAYED: Final = {"total": 9, "refused": [], "held": 0, "notNoted": ""}
GOES_ON: Final = REPLAYED | {"replayed": 4, "next": {"replayed": 4}}


@pytest.fixture
def gated(tmp_path: Path) -> Iterator[tuple[Gated, httpx.Client]]:
    operations = Gated([GOES_ON, REPLAYED | {"replayed": 8}])
    with (
        served(operations, tmp_path) as url,
        httpx.Client(base_url=url, headers={TOKEN_HEADER: TOKEN}) as client,
    ):
        yield operations, client


def test_work_on_letters_is_shown_to_everybody_and_others_wait_for_it(
    gated: tuple[Gated, httpx.Client],
) -> None:
    operations, program = gated
    assert program.get("/console/letters").json()["state"] == "none"

    assert begin(program, "replay").json()["state"] == "running"
    operations.gate.release()
    eventually(lambda: program.get("/console/letters").json()["done"] == 4, "the first call")
    refused = [
        begin(program, "discard"),
        program.post("/console/operations/dead-letters.edit", json={}),
    ]
    operations.gate.release()

    assert (ended(program)["state"], ended(program)["done"]) == ("done", 8)
    assert {one.status_code for one in refused} == {422}
    assert "busy with a replay of dead letters" in refused[0].json()["error"]
    assert len(operations.calls) == 2


def test_work_that_is_stopped_makes_no_other_call_and_tells_what_was_done(
    gated: tuple[Gated, httpx.Client],
) -> None:
    operations, program = gated
    begin(program, "replay")
    eventually(lambda: operations.begun == 1, "the first call")

    program.post("/console/letters/stop", json={})
    operations.gate.release(2)

    assert (ended(program)["state"], ended(program)["done"]) == ("stopped", 4)
    assert len(operations.calls) == 1


def test_work_that_is_stopped_while_it_waits_for_a_reading_changes_nothing(
    gated: tuple[Gated, httpx.Client],
) -> None:
    operations, program = gated
    operations.answers["dead-letters.list"] = [{"total": 9, "groups": [], "next": None}]
    assert program.post("/console/operations/dead-letters.list", json={}).json()["reading"]
    begin(program, "replay")

    program.post("/console/letters/stop", json={})
    operations.gate.release(2)

    assert (ended(program)["state"], ended(program)["done"]) == ("stopped", 0)
    assert [name for name, _ in operations.calls] == ["dead-letters.list"]


def test_work_that_is_stopped_in_its_last_call_is_done(gated: tuple[Gated, httpx.Client]) -> None:
    operations, program = gated
    begin(program, "replay")
    operations.gate.release()
    eventually(lambda: operations.begun == 2, "the last call")

    program.post("/console/letters/stop", json={})
    operations.gate.release()

    assert (ended(program)["state"], ended(program)["done"]) == ("done", 8)


def test_depth_counts_the_letters_that_a_call_has_taken_out(
    gated: tuple[Gated, httpx.Client],
) -> None:
    operations, program = gated
    overview = {"broker": {"queues": {DEAD_LETTER_QUEUE: {"ready": 1}}}}
    operations.answers["overview"] = [overview, json.loads(json.dumps(overview))]
    begin(program, "replay")
    operations.gate.release()
    eventually(lambda: program.get("/console/letters").json()["done"] == 4, "the first call")

    def ready() -> int:
        found = program.post("/console/operations/overview", json={}).json()
        depth: int = found["broker"]["queues"][DEAD_LETTER_QUEUE]["ready"]
        return depth

    during = ready()
    operations.gate.release()
    ended(program)
    assert (during, ready()) == (5, 1)


def test_failure_of_work_is_told_with_what_was_done(
    program: httpx.Client, operations: Recorder
) -> None:
    operations.answers["dead-letters.replay"] = [GOES_ON, OpsError("the broker is away")]

    begin(program, "replay")

    told = ended(program)
    assert (told["state"], told["done"], told["error"]) == ("failed", 4, "the broker is away")
